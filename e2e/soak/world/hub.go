package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/kvmap"
)

const (
	// hubStart and hubStop bound a hub's start and its end.
	hubStart = time.Minute
	hubStop  = 30 * time.Second
)

// running is a hub in this process: the binary has no variables for the trim
// guard and the time between trims.
type running struct {
	nc     *nats.Conn
	cancel context.CancelFunc
	done   chan error
}

// startHub runs a hub and returns when it is ready.
func startHub(nc *nats.Conn, id, onFull string, log *slog.Logger) (*running, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: log})
	if err != nil {
		return nil, err
	}
	h, err := hub.New(hub.Config{
		Conn: nc, Registry: registry, ID: id, Logger: log, StartTimeout: hubStart, OnFull: onFull, IngestMaxBytes: ingestBytes,
		History: history, TrimGuard: trimGuard, TrimEvery: trimEvery, DedupeWindow: dedupeWindow,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{nc: nc, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- h.Run(ctx) }()
	timer := time.NewTimer(hubStart)
	defer timer.Stop()
	select {
	case <-h.Ready():
		return r, nil
	case err := <-r.done:
		cancel()
		return nil, fmt.Errorf("hub %s: %w", id, err)
	case <-timer.C:
		cancel()
		return nil, fmt.Errorf("hub %s was not ready within %s", id, hubStart)
	}
}

// stop ends the hub; one that ended by itself says why.
func (r *running) stop() error {
	defer r.nc.Close()
	r.cancel()
	timer := time.NewTimer(hubStop)
	defer timer.Stop()
	select {
	case err := <-r.done:
		return err
	case <-timer.C:
		return errors.New("a hub did not stop")
	}
}
