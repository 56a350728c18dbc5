package replhubtest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
)

// Hub is a nats-server and a hub in this process, on a port of their own. Its methods
// may be called concurrently. Each takes the test that it fails on an error.
type Hub struct {
	options options
	log     *slog.Logger

	mu     sync.Mutex       // guards the rest
	server *embedded.Server // nil while it is stopped
	engine *engine          // nil while none runs
	url    string
}

// Start starts a server with JetStream in a temporary folder, and a hub on it. It
// returns when the hub answers, and all of it ends with the test.
func Start(t T, opts ...Option) *Hub {
	t.Helper()
	h := &Hub{options: options{server: embedded.Config{Port: embedded.FreePort}}}
	h.options.hub.IngestMaxBytes, h.options.hub.DLQMaxBytes = 256<<20, 64<<20
	for _, o := range opts {
		o(&h.options)
	}
	h.log = h.options.log
	if h.log == nil {
		h.log = newTestLog(t)
	}
	h.options.server.StoreDir = t.TempDir()
	h.options.server.Logger = h.log
	t.Cleanup(func() { h.end(t) })
	h.StartServer(t)
	if !h.options.noHub {
		h.StartHub(t)
	}
	return h
}

// end stops the hub and the server, if they run.
func (h *Hub) end(t T) {
	t.Helper()
	h.StopHub(t)
	h.StopServer(t)
}

// URL is the URL of the NATS server. It stays the same when the server is stopped and
// started.
func (h *Hub) URL() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.url
}

// reconnectWait is the time between two attempts at a server that is away.
const reconnectWait = 20 * time.Millisecond

// connect makes a connection that comes back whenever the server does. Its owner
// closes it.
func (h *Hub) connect(name string) (*nats.Conn, error) {
	return nats.Connect(h.URL(), nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { h.log.Warn("NATS connection", "err", err) }))
}

// Client connects as a service; with an empty name the client has no service. The
// client is closed when the test ends. The changes are applied to its Config before
// it connects.
func (h *Hub) Client(t T, service string, changes ...func(*replhub.Config)) *replhub.Client {
	t.Helper()
	cfg := replhub.Config{
		URL: h.URL(), Service: service, Logger: h.log,
		Options: []nats.Option{nats.ReconnectWait(reconnectWait)},
	}
	for _, change := range changes {
		change(&cfg)
	}
	client, err := replhub.Connect(t.Context(), cfg)
	if err != nil {
		t.Fatalf("client %q: %v", service, err)
	}
	t.Cleanup(client.Close)
	return client
}

// Publish publishes events, in their order and without an origin, and returns once
// all are stored. Use a Client where the origin matters.
func (h *Hub) Publish(t T, events ...replhub.Event) []replhub.Ack {
	t.Helper()
	client, err := h.briefly(t.Context(), "")
	if err != nil {
		t.Fatalf("publish: %v", err)
		return nil
	}
	defer client.Close()
	acks, err := client.PublishBatch(t.Context(), events)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return acks
}

// briefly makes a client that its caller closes.
func (h *Hub) briefly(ctx context.Context, service string) (*replhub.Client, error) {
	return replhub.Connect(ctx, replhub.Config{
		URL: h.URL(), Service: service, Logger: h.log, Options: []nats.Option{nats.ReconnectWait(reconnectWait)},
	})
}
