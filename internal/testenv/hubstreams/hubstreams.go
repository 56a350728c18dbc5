// Package hubstreams has a hub create its streams on a server, for tests and
// benchmarks that need ingest and no hub that works beside them.
package hubstreams

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/kvmap"
)

// Create runs a hub until it has created its streams, and stops it again. It needs
// a server that answers; the connection stays open.
func Create(ctx context.Context, nc *nats.Conn) error {
	log := slog.New(slog.DiscardHandler)
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("create the hub's streams: %w", err)
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: log})
	if err != nil {
		return fmt.Errorf("create the hub's streams: %w", err)
	}
	h, err := hub.New(hub.Config{Conn: nc, Registry: registry, Logger: log})
	if err != nil {
		return fmt.Errorf("create the hub's streams: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan error, 1)
	go func() { over <- h.Run(ctx) }()
	select {
	case <-h.Ready():
		stop()
		err = <-over
	case err = <-over:
		if err == nil {
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("create the hub's streams: %w", err)
	}
	return nil
}
