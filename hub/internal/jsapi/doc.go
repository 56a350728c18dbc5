// Package jsapi asks JetStream's API for what the client library does not offer.
package jsapi
