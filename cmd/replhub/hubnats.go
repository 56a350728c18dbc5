package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/wire"
)

// reconnectWait is the time between two attempts at one server: lanes stand
// still meanwhile.
const reconnectWait = 500 * time.Millisecond

// hubLink is a hub's connection to NATS. It comes back by itself whenever the
// server does.
type hubLink struct {
	nc *nats.Conn
	// lost gets the reason when the connection is closed for good: credentials
	// that are refused now.
	lost chan error
}

func (l *hubLink) close() { l.nc.Close() }

// connect connects as the settings say. A server that is not there at the
// start is an error: a wrong address would else be waited on for ever.
func (s natsSettings) connect(id string, log *slog.Logger) (*hubLink, error) {
	opts, err := s.options()
	if err != nil {
		return nil, err
	}
	l := &hubLink{lost: make(chan error, 1)}
	opts = append(opts, l.options(id, log)...)
	l.nc, err = nats.Connect(s.URL, opts...)
	if err != nil {
		return nil, s.explain(err)
	}
	return l, nil
}

// options are those of every hub's connection.
func (l *hubLink) options(id string, log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name("replhub " + id),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Warn("nats", "err", err, "subject", subject)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil when we close it ourselves
				log.Warn("nats connection lost", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("nats connection is back", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ClosedHandler(func(nc *nats.Conn) {
			err := nc.LastError()
			if err == nil {
				err = errors.New("closed")
			}
			l.lost <- fmt.Errorf("the connection to NATS is closed for good: %w; correct the credentials and start again", err)
		}),
	}
}

// options are the settings' own.
func (s natsSettings) options() ([]nats.Option, error) {
	var opts []nats.Option
	switch {
	case s.Creds != "":
		if err := readable(s.Creds, wire.EnvNATSCreds); err != nil {
			return nil, err
		}
		opts = append(opts, nats.UserCredentials(s.Creds))
	case s.Nkey != "":
		if err := readable(s.Nkey, wire.EnvNATSNkey); err != nil {
			return nil, err
		}
		nkey, err := nats.NkeyOptionFromSeed(s.Nkey)
		if err != nil {
			return nil, fmt.Errorf("%s: %s holds no nkey seed: %w", wire.EnvNATSNkey, s.Nkey, err)
		}
		opts = append(opts, nkey)
	case s.User != "":
		password, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", wire.EnvNATSPasswordFile, err)
		}
		opts = append(opts, nats.UserInfo(s.User, string(bytes.TrimRight(password, "\r\n"))))
	}
	tls, err := s.TLS.config(wire.EnvNATSTLSCA, wire.EnvNATSTLSCert)
	if err != nil {
		return nil, err
	}
	if tls != nil {
		opts = append(opts, nats.Secure(tls))
	}
	if s.TLSFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	return opts, nil
}

// readable checks a file early, for an error that names its variable.
func readable(path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return f.Close()
}

// explain says what to do about a connection that did not come about.
func (s natsSettings) explain(err error) error {
	at := withoutSecrets(s.URL)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		err = wrong.Err // the whole shows the URL with its password
	}
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("connect to NATS at %s: nobody answers there; start nats-server, or say where it is in %s", at, wire.EnvNATSURL)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("connect to NATS at %s: the credentials are refused (%w); check %s", at, err, s.credentialsVariable())
	case errors.Is(err, nats.ErrSecureConnRequired):
		return fmt.Errorf("connect to NATS at %s: the server wants TLS; set %s", at, wire.EnvNATSTLSCA)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("connect to NATS at %s: the server has no TLS; unset %s", at, wire.EnvNATSTLSCA)
	}
	return fmt.Errorf("connect to NATS at %s: %w; %s", at, err, s.adviceOnTLS(err))
}

// adviceOnTLS is what to do about the encryption, or else about the address.
func (s natsSettings) adviceOnTLS(err error) string {
	switch tlsFault(err) {
	case tlsUnknownCA:
		return fmt.Sprintf("name the file of the authority that signs the server's certificate in %s", wire.EnvNATSTLSCA)
	case tlsOtherName:
		return fmt.Sprintf("use a name of the server that its certificate has, in %s", wire.EnvNATSURL)
	case tlsClientCertificate:
		return fmt.Sprintf("name a certificate that the server accepts in %s and %s", wire.EnvNATSTLSCert, wire.EnvNATSTLSKey)
	case tlsGreeting:
		if s.TLSFirst {
			return fmt.Sprintf("a server without handshake_first wants TLS after its greeting: unset %s", wire.EnvNATSTLSFirst)
		}
		return fmt.Sprintf("a server with handshake_first wants %s=true; else check %s", wire.EnvNATSTLSFirst, wire.EnvNATSURL)
	case tlsNone:
	}
	return "check " + wire.EnvNATSURL
}

// credentialsVariable is the variable that says who connects.
func (s natsSettings) credentialsVariable() string {
	switch {
	case s.Creds != "":
		return wire.EnvNATSCreds
	case s.Nkey != "":
		return wire.EnvNATSNkey
	case s.User != "":
		return wire.EnvNATSUser + " and " + wire.EnvNATSPasswordFile
	default:
		return wire.EnvNATSCreds + ", " + wire.EnvNATSNkey + " or " + wire.EnvNATSUser
	}
}
