// Package jsapi sends those requests to JetStream's API that the client library does
// not offer.
package jsapi
