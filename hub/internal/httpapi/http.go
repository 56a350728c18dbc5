// Package httpapi answers /healthz, /readyz and /metrics, and hands every other path to
// the console.
package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/internal/opshttp"
)

// Config is what an API needs. Every field but Token, Console and Proxies is required.
type Config struct {
	// Hub is the hub's id, Version what it is told to be.
	Hub, Version string
	// Ready is closed when the hub answers requests and copies events.
	Ready <-chan struct{}
	// Reporter is asked for once Ready is closed.
	Reporter func() *report.Reporter
	// Token is asked for the token of requests; nil demands none.
	Token opshttp.TokenFunc
	// Console answers the other paths, and asks for the token itself; nil answers none.
	Console http.Handler
	// Proxies are the addresses from which requests are taken, beside this machine's own;
	// empty takes requests from everywhere.
	Proxies []netip.Prefix
	Logger  *slog.Logger
}

// API is the HTTP side of a hub. It may be used concurrently, and before the hub runs.
type API struct {
	cfg Config
}

// New makes an API.
func New(cfg Config) *API { return &API{cfg: cfg} }

// Handler answers /healthz, /readyz, /metrics, and the console. If a request's context has ended,
// /readyz says that the hub stops: use the context of Run as the server's
// BaseContext.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", opshttp.Healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", a.metricsHandler())
	guarded := opshttp.Guard(mux, a.cfg.Token, a.cfg.Logger)
	if a.cfg.Console == nil {
		return a.fromProxies(guarded)
	}
	all := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		all.Handle(path, guarded)
	}
	all.Handle("/", a.cfg.Console)
	return a.fromProxies(all)
}

// Serve serves Handler on a listener until ctx ends, and closes it. Once
// run, the context of Run, has ended, /readyz says so.
func (a *API) Serve(ctx, run context.Context, listener net.Listener) error {
	return opshttp.Serve(ctx, run, listener, a.Handler(), a.cfg.Logger)
}
