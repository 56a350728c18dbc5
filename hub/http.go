package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
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

// Handler answers /healthz, /readyz and /metrics; it may be used before Run.
// The context of a request that has ended makes /readyz say that the hub stops:
// let a server's BaseContext be the context of Run.
func (h *Hub) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.Handle("GET /metrics", h.metricsHandler())
	return mux
}

// ServeHTTP serves Handler on a listener until ctx ends, and closes it. Once
// run, the context of Run, has ended, /readyz says so.
func (h *Hub) ServeHTTP(ctx, run context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           h.Handler(),
		ReadHeaderTimeout: httpReadTimeout,
		ReadTimeout:       httpReadTimeout,
		WriteTimeout:      httpWriteTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    maxHTTPHeader,
		BaseContext:       func(net.Listener) context.Context { return run },
		ErrorLog:          slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
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
		_ = server.Close() // whoever is still reading is cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	}
	return nil
}
