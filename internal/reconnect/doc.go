// Package reconnect makes connections to NATS that never give up: they come back
// however often the server refuses them, with what their files say by then.
//
// nats.go closes a connection for good when a server refuses its credentials twice
// in a row. That is what happens when a password, a JWT or a certificate is
// changed at the server before it is changed at the client.
//
// A connection that nats.go closes for other reasons stays closed, for example after
// a message that is larger than the server accepts.
package reconnect
