// Package httpapi answers /healthz, /readyz and /metrics.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub/hub/internal/report"
)

const (
	// Bounds of one HTTP request: a scrape of a thousand lanes takes a second.
	httpReadTimeout  = 5 * time.Second
	httpWriteTimeout = 30 * time.Second
	httpIdleTimeout  = 2 * time.Minute
	// httpStopTime is how long requests under way may take when the server stops.
	httpStopTime = 2 * time.Second
	// maxHTTPHeader bounds a request's headers, in bytes.
	maxHTTPHeader = 16 << 10
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
	Token  TokenFunc
	Logger *slog.Logger
}

// API is the HTTP side of a hub. It may be used concurrently, and before the hub runs.
type API struct {
	cfg Config
	// tokenFails says that the token could not be read for the last request.
	tokenFails atomic.Bool
}

// New makes an API.
func New(cfg Config) *API { return &API{cfg: cfg} }

// Handler answers /healthz, /readyz and /metrics. If a request's context has ended,
// /readyz says that the hub stops: use the context of Run as the server's
// BaseContext.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", a.metricsHandler())
	return a.guarded(mux)
}

// Serve serves Handler on a listener until ctx ends, and closes it. Once
// run, the context of Run, has ended, /readyz says so.
func (a *API) Serve(ctx, run context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: httpReadTimeout,
		ReadTimeout:       httpReadTimeout,
		WriteTimeout:      httpWriteTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    maxHTTPHeader,
		BaseContext:       func(net.Listener) context.Context { return run },
		ErrorLog:          slog.NewLogLogger(a.cfg.Logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpStopTime)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		_ = server.Close() // clients that still read are cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	}
	return nil
}
