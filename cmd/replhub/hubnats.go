package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/internal/reconnect"
)

// reconnectWait is the time between two attempts at one server: lanes stand
// still meanwhile.
const reconnectWait = 500 * time.Millisecond

// hubLink is a hub's connection to NATS. It comes back by itself whenever the
// server does, with what its files say by then.
type hubLink struct {
	nc *nats.Conn
	// lost gets the reason when the connection is closed for good: for what the hub
	// sent, never for its credentials.
	lost chan error
}

func (l *hubLink) close() { l.nc.Close() }

// connect connects as the settings say. A server that is not there at the
// start is an error: a wrong address would else be waited on for ever.
func (s natsSettings) connect(id string, log *slog.Logger) (*hubLink, error) {
	supervisor := reconnect.NewSupervisor(log)
	opts, err := s.options(supervisor)
	if err != nil {
		return nil, err
	}
	l := &hubLink{lost: make(chan error, 1)}
	opts = append(append(opts, l.options(id, log)...), supervisor.Option())
	l.nc, err = nats.Connect(s.URL, opts...)
	if err != nil {
		return nil, s.explain(err)
	}
	return l, nil
}

// options are those of every hub's connection.
func (l *hubLink) options(id string, log *slog.Logger) []nats.Option {
	return append(reconnect.Alive(),
		nats.Name("replhub "+id),
		nats.CustomInboxPrefix(permissions.InboxHub),
		nats.ReconnectWait(reconnectWait),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil when we close it ourselves
				log.Warn("nats connection lost", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("nats connection is back", "server", reconnect.Server(nc))
		}),
		nats.ClosedHandler(func(nc *nats.Conn) {
			err := nc.LastError()
			if err == nil {
				err = errors.New("closed")
			}
			l.lost <- fmt.Errorf("the connection to NATS is closed permanently: %w; start the hub again", err)
		}),
	)
}

// options are the settings' own: files that are read at each attempt.
func (s natsSettings) options(supervisor *reconnect.Supervisor) ([]nats.Option, error) {
	for _, f := range []struct {
		variable string
		files    reconnect.Files
	}{
		{contract.EnvNATSCreds, reconnect.Files{Creds: s.Creds}},
		{contract.EnvNATSNkey, reconnect.Files{Nkey: s.Nkey}},
		{contract.EnvNATSPasswordFile, reconnect.Files{User: s.User, Password: s.PasswordFile}},
		{contract.EnvNATSTLSCA, reconnect.Files{CA: s.TLS.CA}},
		{contract.EnvNATSTLSCert, reconnect.Files{Cert: s.TLS.Cert, Key: s.TLS.Key}},
	} {
		if _, err := supervisor.Options(f.files); err != nil {
			return nil, fmt.Errorf("%s: %w", f.variable, err)
		}
	}
	opts, err := supervisor.Options(reconnect.Files{
		Creds: s.Creds, Nkey: s.Nkey, User: s.User, Password: s.PasswordFile, CA: s.TLS.CA, Cert: s.TLS.Cert, Key: s.TLS.Key,
	})
	if s.TLSFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	return opts, err
}

// explain says what to do about a connection that did not come about.
func (s natsSettings) explain(err error) error {
	at := reconnect.WithoutSecrets(s.URL)
	err = reconnect.WithoutURL(err)
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("connect to NATS at %s: no server answers there; start nats-server, or say where it is in %s", at, contract.EnvNATSURL)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("connect to NATS at %s: the credentials are refused (%w); check %s", at, err, s.credentialsVariable())
	case errors.Is(err, nats.ErrSecureConnRequired):
		return fmt.Errorf("connect to NATS at %s: the server wants TLS; set %s", at, contract.EnvNATSTLSCA)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("connect to NATS at %s: the server has no TLS; unset %s", at, contract.EnvNATSTLSCA)
	}
	return fmt.Errorf("connect to NATS at %s: %w; %s", at, err, s.adviceOnTLS(err))
}

// adviceOnTLS is what to do about the encryption, or else about the address.
func (s natsSettings) adviceOnTLS(err error) string {
	switch tlsFault(err) {
	case tlsUnknownCA:
		return fmt.Sprintf("name the file of the authority that signs the server's certificate in %s", contract.EnvNATSTLSCA)
	case tlsOtherName:
		return fmt.Sprintf("use a name of the server that its certificate has, in %s", contract.EnvNATSURL)
	case tlsClientCertificate:
		return fmt.Sprintf("name a certificate that the server accepts in %s and %s", contract.EnvNATSTLSCert, contract.EnvNATSTLSKey)
	case tlsGreeting:
		if s.TLSFirst {
			return fmt.Sprintf("a server without handshake_first wants TLS after its greeting: unset %s", contract.EnvNATSTLSFirst)
		}
		return fmt.Sprintf("a server with handshake_first wants %s=true; else check %s", contract.EnvNATSTLSFirst, contract.EnvNATSURL)
	case tlsNone:
	}
	return "check " + contract.EnvNATSURL
}

// credentialsVariable is the variable that says who connects.
func (s natsSettings) credentialsVariable() string {
	switch {
	case s.Creds != "":
		return contract.EnvNATSCreds
	case s.Nkey != "":
		return contract.EnvNATSNkey
	case s.User != "":
		return contract.EnvNATSUser + " and " + contract.EnvNATSPasswordFile
	default:
		return contract.EnvNATSCreds + ", " + contract.EnvNATSNkey + " or " + contract.EnvNATSUser
	}
}
