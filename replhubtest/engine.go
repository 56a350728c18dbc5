package replhubtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/kvmap"
)

// engineTime bounds the start and the end of a hub, which finishes requests that
// are under way.
const engineTime = 30 * time.Second

// engine is a running hub.
type engine struct {
	nc     *nats.Conn
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done
}

// StartHub starts a hub, if none runs, and returns when it answers. The hub continues
// the lanes where the one before left them.
func (h *Hub) StartHub(t T) {
	t.Helper()
	h.mu.Lock()
	running := h.engine != nil
	h.mu.Unlock()
	if running {
		return
	}
	e, err := h.newEngine()
	if err != nil {
		t.Fatalf("start the hub: %v", err)
	}
	h.mu.Lock()
	h.engine = e
	h.mu.Unlock()
}

func (h *Hub) newEngine() (*engine, error) {
	nc, err := h.connect("hub")
	if err != nil {
		return nil, err
	}
	e := &engine{nc: nc, done: make(chan struct{})}
	if err := h.run(e); err != nil {
		nc.Close()
		return nil, err
	}
	return e, nil
}

// run runs a hub over the engine's connection, and waits until it is ready.
func (h *Hub) run(e *engine) error {
	js, err := jetstream.New(e.nc)
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: h.log})
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	cfg := h.options.hub
	cfg.Conn, cfg.Registry, cfg.Replicas, cfg.Logger = e.nc, registry, 1, h.log
	one, err := hub.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	go func() {
		defer close(e.done)
		e.err = one.Run(ctx)
	}()
	patience := time.NewTimer(engineTime)
	defer patience.Stop()
	select {
	case <-one.Ready():
		return nil
	case <-e.done:
		cancel()
		return e.err
	case <-patience.C:
		return errors.Join(errors.New("it was not ready in time"), e.end())
	}
}

// end stops the hub and waits for it.
func (e *engine) end() error {
	e.cancel()
	defer e.nc.Close()
	patience := time.NewTimer(engineTime)
	defer patience.Stop()
	select {
	case <-e.done:
		return e.err
	case <-patience.C:
		return errors.New("it did not stop in time")
	}
}

// StopHub stops the hub, if one runs, as a restart would: the hub first finishes its
// appends.
func (h *Hub) StopHub(t T) {
	t.Helper()
	if e := h.takeEngine(); e != nil {
		if err := e.end(); err != nil {
			t.Errorf("stop the hub: %v", err)
		}
	}
}

// KillHub disconnects the hub, if one runs, in the middle of its work, as a crash
// would: it gets no answer to its last requests.
func (h *Hub) KillHub(t T) {
	t.Helper()
	if e := h.takeEngine(); e != nil {
		e.nc.Close()
		_ = e.end() // what it has to say about that is no fault
	}
}

func (h *Hub) takeEngine() *engine {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.engine
	h.engine = nil
	return e
}
