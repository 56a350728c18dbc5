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

// Config says how to reach the hub and who the client is. The zero Config works
// against "replhub dev" on this machine.
type Config struct {
	// URL is the NATS server's URL, or several separated by commas;
	// nats://127.0.0.1:4222 by default.
	URL string
	// Credentials name the files that authenticate this client; none by default.
	Credentials Credentials
	// Options are options of nats.go, for settings that Config does not have. The
	// client always reconnects without limit: MaxReconnects, NoReconnect and similar
	// options have no effect. Options that hold a value, such as UserInfo, Token or a
	// tls.Config, keep that value. To change credentials while the client runs, use
	// Credentials, or the options that take a function or read their files
	// themselves: UserCredentials, UserInfoHandler, TokenHandler, RootCAs,
	// ClientCert, ClientTLSConfig.
	Options []nats.Option
	// Conn, when set, is the connection that the client uses; the client never closes
	// it. URL, Credentials and Options must then be empty. The owner of Conn decides
	// whether it reconnects: see nats.MaxReconnects and nats.IgnoreAuthErrorAbort.
	Conn *nats.Conn
	// Service is this service's name: the origin of what it publishes. It is
	// required to register and to subscribe. The client's reply subjects begin with
	// "_INBOX_<service>", so that a server can keep other services from reading them,
	// unless Options has nats.CustomInboxPrefix or Conn is set.
	Service string
	// Domain is the JetStream domain; by default the connection's own.
	Domain string
	// WaitForHub makes Connect, Register, Unregister, Backfill and Describe wait for
	// the server and a hub until their context ends. Connect then also waits while
	// the server refuses the credentials. By default these calls return an error at
	// once.
	WaitForHub bool
	// Timeout bounds the wait for one answer, to a control request or to one attempt
	// to publish; 5 s by default.
	Timeout time.Duration
	// PublishTimeout bounds one publish with all its attempts; 15 s by default. A
	// context that ends earlier ends the publish earlier.
	PublishTimeout time.Duration
	// MaxPending bounds the events of PublishAsync and PublishBatch that are not yet
	// acknowledged; 256 by default.
	MaxPending int
	// Trace gives the headers that carry the context's trace, such as "traceparent"
	// and "tracestate"; none by default. The event's own headers take precedence.
	Trace func(ctx context.Context) map[string]string
	// OnPublish is called with each event of a publish before the event is sent, for
	// traces and metrics; nothing by default. It may add headers, such as "traceparent":
	// ev and its Header are copies of the caller's. done, which may be nil, is called
	// once with the event's outcome, all attempts included. OnPublish and done must return
	// soon, and may be called concurrently.
	OnPublish func(ctx context.Context, ev *Event) (done func(Ack, error))
	// Logger gets the messages for operators; slog.Default by default.
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
