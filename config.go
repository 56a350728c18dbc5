package replhub

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/subjects"
)

// Config says how to reach the hub and as whom. The zero Config works against
// "replhub dev" on this machine.
type Config struct {
	// URL is where NATS listens, several separated by commas;
	// nats://127.0.0.1:4222 by default.
	URL string
	// Credentials name the files that say who this client is; none by default.
	Credentials Credentials
	// Options are those of nats.go, for what Credentials do not say and whatever
	// else. The connection comes back for ever all the same: MaxReconnects,
	// NoReconnect and the like change nothing of that. What they hold as a value
	// stays as it is: UserInfo, Token, a tls.Config. To change credentials while
	// the client runs, use Credentials, or the options that take a function or read
	// their files themselves: UserCredentials, UserInfoHandler, TokenHandler,
	// RootCAs, ClientCert, ClientTLSConfig.
	Options []nats.Option
	// Conn, when set, is used instead of a connection of the client's own, and is
	// never closed by it. URL, Credentials and Options are then left empty, and
	// whether it comes back is its owner's matter: see nats.MaxReconnects and
	// nats.IgnoreAuthErrorAbort.
	Conn *nats.Conn
	// Service is this service's name: the origin of what it publishes. It is
	// required to register and to subscribe. The client's reply subjects begin with
	// "_INBOX_<service>", so that a server can keep other services from reading them,
	// unless Options has nats.CustomInboxPrefix or Conn is set.
	Service string
	// Domain is the JetStream domain; empty is the connection's own.
	Domain string
	// WaitForHub has Connect, Register, Unregister, Backfill and Describe wait for
	// the server and a hub until their context ends, Connect also while the server
	// refuses its credentials; by default they give an error at once.
	WaitForHub bool
	// Timeout bounds the wait for one answer: that of a control request, and of
	// one attempt to publish; 5 s by default.
	Timeout time.Duration
	// PublishTimeout bounds one publish with all its attempts; 15 s by default.
	// A context that ends earlier counts.
	PublishTimeout time.Duration
	// MaxPending bounds the events of PublishAsync and PublishBatch that are not
	// acknowledged yet; 256 by default.
	MaxPending int
	// Trace gives the headers that carry the context's trace, such as
	// "traceparent" and "tracestate"; none by default. Headers that the event
	// has itself win.
	Trace func(ctx context.Context) map[string]string
	// Logger takes what an operator should know; slog.Default by default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.PublishTimeout = cmp.Or(c.PublishTimeout, 15*time.Second)
	c.MaxPending = cmp.Or(c.MaxPending, 256)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Conn == nil {
		c.URL = cmp.Or(c.URL, nats.DefaultURL)
	}
	return c
}

// validate checks a Config with its defaults, and parses the service's name;
// the zero Name is none.
func (c Config) validate() (subjects.Name, error) {
	switch {
	case c.Conn != nil && (c.URL != "" || len(c.Options) > 0 || c.Credentials != Credentials{}):
		return subjects.Name{}, fmt.Errorf("config: Conn: must not be given together with URL, Credentials or Options")
	case (c.Credentials.User == "") != (c.Credentials.PasswordFile == ""):
		return subjects.Name{}, fmt.Errorf("config: Credentials: User and PasswordFile go together")
	case (c.Credentials.CertFile == "") != (c.Credentials.KeyFile == ""):
		return subjects.Name{}, fmt.Errorf("config: Credentials: CertFile and KeyFile go together")
	case c.Timeout < 0:
		return subjects.Name{}, fmt.Errorf("config: Timeout %s: must be positive", c.Timeout)
	case c.PublishTimeout < 0:
		return subjects.Name{}, fmt.Errorf("config: PublishTimeout %s: must be positive", c.PublishTimeout)
	case c.MaxPending < 0:
		return subjects.Name{}, fmt.Errorf("config: MaxPending %d: must be positive", c.MaxPending)
	case c.Service == "":
		return subjects.Name{}, nil
	}
	name, err := subjects.ParseName(c.Service)
	if err != nil {
		return subjects.Name{}, fmt.Errorf("config: Service: %w", err)
	}
	return name, nil
}
