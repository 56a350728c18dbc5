package reconnect

import (
	"errors"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

// notURL stands for a text that may hold a secret anywhere.
const notURL = "(not a URL)"

// errNotURL stands for an error that quotes a URL, or a part of one.
var errNotURL = errors.New("not a URL such as nats://host:4222; in a user, password or token, write / ? # @ and % in their percent-encoded form")

// WithoutSecrets leaves user, password and token out of URLs. A user without a password
// is a token.
func WithoutSecrets(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		part = strings.TrimSpace(part)
		if !strings.Contains(part, "://") {
			part = "nats://" + part
		}
		parts[i] = notURL
		if u, err := url.Parse(part); err == nil && !strings.Contains(u.Host+u.Path+u.RawQuery+u.Fragment, "@") {
			// With an @ behind the host, a token with a / was taken for host and path.
			u.User = nil
			parts[i] = u.String()
		}
	}
	return strings.Join(parts, ",")
}

// Server is the URL of the server that a connection has, without secrets; empty without a
// connection. (ConnectedUrlRedacted of nats.go shows a token.)
func Server(nc *nats.Conn) string {
	at := nc.ConnectedUrl()
	if at == "" {
		return ""
	}
	return WithoutSecrets(at)
}

// WithoutURL is the error of a connect that does not quote the URL. The message of package
// url quotes it, with its secrets.
func WithoutURL(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errNotURL
	}
	return err
}
