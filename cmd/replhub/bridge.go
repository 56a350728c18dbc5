package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/opshttp"
	"github.com/replhub/replhub/internal/reconnect"
)

// bridgeFlags are the flags that every bridge has: capture, apply and push.
type bridgeFlags struct {
	// defaultAddr is where HTTP listens if nothing says where.
	defaultAddr string

	http                opshttp.Settings
	drain               time.Duration
	logLevel, logFormat string
	once                bool
}

// register adds the flags to a command; with once, also --once. defaultAddr is the
// command's own port on loopback.
func (f *bridgeFlags) register(cmd *cobra.Command, defaultAddr string, once bool) {
	f.defaultAddr = defaultAddr
	flags := cmd.Flags()
	flags.String("config", "", "YAML file with the same settings: the flags' names with _ in place of -")
	flags.StringVar(&f.http.Addr, "http-addr", "", "address of /healthz, /readyz and /metrics ("+defaultAddr+", or a free port where that is taken); none serves nothing; an address that other machines reach needs a token and TLS")
	flags.StringVar(&f.http.TokenFile, "http-token-file", "", "file with the token that each HTTP request must have")
	flags.StringVar(&f.http.TLS.Cert, "http-tls-cert", "", "certificate file of the HTTP server")
	flags.StringVar(&f.http.TLS.Key, "http-tls-key", "", "key file of that certificate")
	flags.DurationVar(&f.drain, "drain-timeout", 10*time.Second, "how long a clean stop may take")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", logText, "text or json")
	if once {
		flags.BoolVar(&f.once, "once", false, "end when every event that was stored at the start is handled or a dead letter, for jobs and tests")
	}
	cmd.PreRunE = bridgeSettings
}

// httpNone is the address that serves no HTTP.
const httpNone = "none"

// listen binds the address of HTTP; nil where there is none. Several bridges on one
// machine must not collide, so a default port that is taken gives way to a free one.
func (f *bridgeFlags) listen(ctx context.Context) (net.Listener, error) {
	s := f.http
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Addr == httpNone {
		return nil, nil //nolint:nilnil // no HTTP is no error
	}
	if s.Addr != "" {
		return s.Listen(ctx)
	}
	s.Addr = f.defaultAddr
	listener, err := s.Listen(ctx)
	if errors.Is(err, opshttp.ErrTaken) {
		s.Addr = "127.0.0.1:0"
		return s.Listen(ctx)
	}
	return listener, err
}

// logger makes the log. It goes to stderr: stdout has the summary.
func (f *bridgeFlags) logger(out io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usagef("--log-level %q: must be debug, info, warn or error", f.logLevel)
	}
	if f.logFormat != logText && f.logFormat != logJSON {
		return nil, usagef("--log-format %q: must be %s or %s", f.logFormat, logText, logJSON)
	}
	return newLogger(out, f.logFormat, level), nil
}

// serviceConn is a bridge's connection to NATS. It comes back for as long as the process
// runs, with the credentials that the files have by then.
type serviceConn struct {
	nc     *nats.Conn
	domain string
}

// connectService connects as a service's instance does: with reply subjects of the
// service's own, so that the permissions of the service's role are enough.
func (a *app) connectService(service string, log *slog.Logger) (*serviceConn, error) {
	target, err := a.conn.resolve()
	if err != nil {
		return nil, err
	}
	if target.InboxPrefix == "" {
		target.InboxPrefix = contract.InboxPrefix(service)
	}
	supervisor := reconnect.NewSupervisor(log)
	opts, err := target.options(supervisor, a.conn.resolve)
	if err != nil {
		return nil, err
	}
	opts = append(opts, nats.Name("replhub "+service), nats.Timeout(a.timeout), nats.ReconnectWait(reconnectWait), supervisor.Option())
	nc, err := nats.Connect(target.URL, opts...)
	if err != nil {
		l := &connection{server: reconnect.WithoutSecrets(target.URL)}
		return nil, l.explain(err, target.TLSFirst)
	}
	return &serviceConn{nc: nc, domain: target.Domain}, nil
}
