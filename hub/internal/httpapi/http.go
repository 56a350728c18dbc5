// Package httpapi answers /healthz, /readyz and /metrics.
package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/internal/opshttp"
)

// Config is what an API needs. Every field but Token is required.
type Config struct {
	// Hub is the hub's id, Version what it is told to be.
	Hub, Version string
	// Ready is closed when the hub answers requests and copies events.
	Ready <-chan struct{}
	// Reporter is asked for once Ready is closed.
	Reporter func() *report.Reporter
	// Token is asked for the token of requests; nil demands none.
	Token  opshttp.TokenFunc
	Logger *slog.Logger
}

// API is the HTTP side of a hub. It may be used concurrently, and before the hub runs.
type API struct {
	cfg Config
}

// New makes an API.
func New(cfg Config) *API { return &API{cfg: cfg} }

// Handler answers /healthz, /readyz and /metrics. If a request's context has ended,
// /readyz says that the hub stops: use the context of Run as the server's
// BaseContext.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", opshttp.Healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", a.metricsHandler())
	return opshttp.Guard(mux, a.cfg.Token, a.cfg.Logger)
}

// Serve serves Handler on a listener until ctx ends, and closes it. Once
// run, the context of Run, has ended, /readyz says so.
func (a *API) Serve(ctx, run context.Context, listener net.Listener) error {
	return opshttp.Serve(ctx, run, listener, a.Handler(), a.cfg.Logger)
}
