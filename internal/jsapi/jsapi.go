// Package jsapi opens JetStream's API where it is: in the connection's own account, in
// a domain, or behind a prefix. Services, hubs and commands share it, so that one
// setting means the same to all.
package jsapi

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Open opens JetStream over a connection, in a domain; "" is the connection's own.
func Open(nc *nats.Conn, domain string) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc)
	if domain != "" {
		js, err = jetstream.NewWithDomain(nc, domain)
	}
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return js, nil
}

// Prefix precedes the names of API requests, with a dot at its end. An API prefix wins
// over a domain, as in the client library.
func Prefix(o jetstream.JetStreamOptions) string {
	switch {
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	default:
		return jetstream.DefaultAPIPrefix
	}
}
