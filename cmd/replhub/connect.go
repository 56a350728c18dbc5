package main

import (
	"cmp"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"

	"github.com/replhub/replhub/internal/jsapi"
	"github.com/replhub/replhub/internal/reconnect"
)

// connFlags are the global flags that say which server and as whom, named as
// in the nats CLI.
type connFlags struct {
	server, context        string
	creds, nkey            string
	user, password, token  string
	tlsCA, tlsCert, tlsKey string
	inboxPrefix, domain    string
	noContext, tlsFirst    bool
}

func (f *connFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.server, "server", "s", "", "NATS server URLs, separated by commas ($NATS_URL)")
	flags.StringVar(&f.context, "context", "", "context of the nats CLI ($NATS_CONTEXT)")
	flags.BoolVar(&f.noContext, "no-context", false, "ignore the selected context of the nats CLI")
	flags.StringVar(&f.creds, "creds", "", "credentials file ($NATS_CREDS)")
	flags.StringVar(&f.nkey, "nkey", "", "nkey seed file ($NATS_NKEY)")
	flags.StringVar(&f.user, "user", "", "user, or token if there is no password ($NATS_USER)")
	flags.StringVar(&f.password, "password", "", "password; prefer $NATS_PASSWORD, because other users can read command lines")
	flags.StringVar(&f.token, "token", "", "token; prefer $NATS_TOKEN")
	flags.StringVar(&f.tlsCA, "tlsca", "", "certificate authorities file ($NATS_CA)")
	flags.StringVar(&f.tlsCert, "tlscert", "", "client certificate file ($NATS_CERT)")
	flags.StringVar(&f.tlsKey, "tlskey", "", "client certificate's key file ($NATS_KEY)")
	flags.BoolVar(&f.tlsFirst, "tlsfirst", false, "TLS handshake before the server's greeting")
	flags.StringVar(&f.inboxPrefix, "inbox-prefix", "", "prefix of reply subjects")
	flags.StringVar(&f.domain, "js-domain", "", "JetStream domain")
}

// resolve fills what no flag says from the environment, then from the context
// of the nats CLI.
func (f *connFlags) resolve() (natsContext, error) {
	var from natsContext
	if !f.noContext {
		loaded, err := loadContext(cmp.Or(f.context, os.Getenv("NATS_CONTEXT")))
		if err != nil {
			return natsContext{}, err
		}
		from = loaded
	}
	return natsContext{
		URL:         cmp.Or(f.server, os.Getenv("NATS_URL"), from.URL, nats.DefaultURL),
		Creds:       cmp.Or(f.creds, os.Getenv("NATS_CREDS"), from.Creds),
		NKey:        cmp.Or(f.nkey, os.Getenv("NATS_NKEY"), from.NKey),
		User:        cmp.Or(f.user, os.Getenv("NATS_USER"), from.User),
		Password:    cmp.Or(f.password, os.Getenv("NATS_PASSWORD"), from.Password),
		Token:       cmp.Or(f.token, os.Getenv("NATS_TOKEN"), from.Token),
		CA:          cmp.Or(f.tlsCA, os.Getenv("NATS_CA"), from.CA),
		Cert:        cmp.Or(f.tlsCert, os.Getenv("NATS_CERT"), from.Cert),
		Key:         cmp.Or(f.tlsKey, os.Getenv("NATS_KEY"), from.Key),
		InboxPrefix: cmp.Or(f.inboxPrefix, from.InboxPrefix),
		Domain:      cmp.Or(f.domain, from.Domain),
		TLSFirst:    f.tlsFirst || from.TLSFirst,
	}, nil
}

// connection is a connection to NATS for the length of a verb.
type connection struct {
	nc      *nats.Conn
	domain  string
	server  string // the URL without secrets, for messages
	timeout time.Duration

	mu    sync.Mutex // guards async
	async error      // the latest error that came outside any call
}

// connect connects as flags, environment and context say. The caller closes
// the connection.
func (a *app) connect() (*connection, error) {
	target, err := a.conn.resolve()
	if err != nil {
		return nil, err
	}
	l := &connection{domain: target.Domain, server: reconnect.WithoutSecrets(target.URL), timeout: a.timeout}
	// A verb that goes on for long, such as watch, outlives a server that is away
	// and credentials that are changed; one that asks once has its timeout.
	supervisor := reconnect.NewSupervisor(slog.New(slog.DiscardHandler)) // verbs say themselves what they wait for
	opts, err := target.options(supervisor, a.conn.resolve)
	if err != nil {
		return nil, err
	}
	opts = append(opts, nats.Name("replhub CLI"), nats.Timeout(a.timeout), nats.ErrorHandler(l.note), nats.ReconnectHandler(l.forget), supervisor.Option())
	l.nc, err = nats.Connect(target.URL, opts...)
	if err != nil {
		return nil, l.explain(err, target.TLSFirst)
	}
	return l, nil
}

// explain says what to do about a connection that did not come about.
func (l *connection) explain(err error, tlsFirst bool) error {
	err = reconnect.WithoutURL(err)
	if errors.Is(err, nats.ErrNoServers) {
		return failf(codeUnreachable, "connect to NATS at %s: no server answers there; start replhub dev, or say where with --server or NATS_URL", l.server)
	}
	advice := ""
	switch tlsFault(err) {
	case tlsUnknownCA:
		advice = "; name the authority that signs the server's certificate with --tlsca or NATS_CA, or in the context (ca)"
	case tlsOtherName:
		advice = "; use a name of the server that its certificate has"
	case tlsClientCertificate:
		advice = "; name a certificate that the server accepts with --tlscert and --tlskey, or in the context (cert, key)"
	case tlsGreeting:
		advice = "; a server with handshake_first wants --tlsfirst, or tls_first in the context"
		if tlsFirst {
			advice = "; a server without handshake_first wants no --tlsfirst, and no tls_first in the context"
		}
	case tlsNone:
	}
	return failf(codeUnreachable, "connect to NATS at %s: %w%s", l.server, err, advice)
}

func (l *connection) close() { l.nc.Close() }

// note keeps what the server objects to: a denied request is else only silence.
func (l *connection) note(_ *nats.Conn, _ *nats.Subscription, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.async = err
}

// forget forgets what was objected to on a connection before this one.
func (l *connection) forget(*nats.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.async = nil
}

func (l *connection) objection() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.async
}

func (l *connection) jetStream() (jetstream.JetStream, error) {
	return jsapi.Open(l.nc, l.domain)
}
