package jsapi

import (
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Prefix precedes the names of API requests, with a dot at its end. An API prefix
// wins over a domain, as in the client library.
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
