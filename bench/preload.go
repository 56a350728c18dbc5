package main

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/hubstreams"
)

// preloadPending is how many publishes wait for their acknowledgement at a time.
const preloadPending = 4000

// openIngest makes the very stream that a hub would make, for the baselines.
func openIngest(ctx context.Context, js jetstream.JetStream) error {
	return hubstreams.Create(ctx, js.Conn())
}

// preload publishes events first to last into ingest under the subjects that
// subjectOf gives, each of which gets its number as its sequence.
func preload(ctx context.Context, s *server, first, last int, subjectOf func(n int) string) error {
	js, err := jetstream.New(s.nc, jetstream.WithPublishAsyncMaxPending(preloadPending))
	if err != nil {
		return err
	}
	for n := first; n <= last; n++ {
		if _, err := js.PublishAsync(subjectOf(n), payload(uint64(n))); err != nil {
			return fmt.Errorf("publish event %d: %w", n, err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return fmt.Errorf("publish events: %w", ctx.Err())
	}
	stream, err := js.Stream(ctx, contract.StreamIngest)
	if err != nil {
		return fmt.Errorf("look up ingest: %w", err)
	}
	// The lane's contents are judged by number: one refused publish would shift
	// all that follow.
	if have := stream.CachedInfo().State.LastSeq; have != uint64(last) {
		return fmt.Errorf("ingest ends at %d after event %d", have, last)
	}
	return nil
}

// users puts every event under the one subject of a throughput run.
func users(int) string { return subject }
