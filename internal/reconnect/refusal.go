package reconnect

import (
	"errors"
	"net"
	"strings"
)

// refusals are a server's words about a client that it does not take, or does not
// keep, in lower case, and what to do. nats.go has errors for them on a connection
// that stands; while one is made, it has the server's text.
func refusals() []refusalWords {
	return []refusalWords{
		{"authorization violation", "the server has other credentials: give them to this client, or this client's to the server"},
		{"account authentication expired", "the account's JWT has expired: renew it and push it to the server"},
		{"authentication expired", "the user's JWT has expired: put a new one into the credentials file"},
		{"authentication revoked", "the user's JWT was revoked: put that of another user into the credentials file"},
		{"connections exceeded", tooMany},
		{"info not received", tooMany}, // a full server says so where its greeting is awaited
	}
}

type refusalWords struct{ words, do string }

const tooMany = "the server or the account has reached its max_connections: raise them, or close other clients"

// Refusal reports whether an error says that a server does not accept this client
// now. The refusal may end without a change of this program.
func Refusal(err error) bool {
	words, _ := refusal(err)
	return words != ""
}

func refusal(err error) (words, do string) {
	if err == nil {
		return "", ""
	}
	text := strings.ToLower(err.Error())
	for _, r := range refusals() {
		if strings.Contains(text, r.words) {
			return r.words, r.do
		}
	}
	return "", ""
}

// kindOf is what errors that need no second word have in common: what to
// do about the server's words, or what the network said, whatever the ports were.
func kindOf(err error) string {
	if _, do := refusal(err); do != "" {
		return do
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// advice says what to do about an error.
func advice(err error) string {
	if _, do := refusal(err); do != "" {
		return do
	}
	if _, network := errors.AsType[*net.OpError](err); network {
		return "see to the server and the network"
	}
	return "see to the server, its certificates and this client's files"
}
