package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Trim purges what lies below want and was stored before cutoff. The event at
// want itself stays, so that whoever stands there can prove it. pinnings is
// what Pinnings said before the lanes were asked for want: with a registration
// in between nothing is purged. It returns the first sequence kept by decision
// (the floor) and how many events went.
func (g *Ingest) Trim(ctx context.Context, want uint64, cutoff time.Time, pinnings uint64) (floor, purged uint64, err error) {
	s, err := g.stream(ctx)
	if err != nil {
		return 0, 0, err
	}
	b := boundsOf(s.CachedInfo())
	if b.Messages == 0 {
		return g.Floor(), 0, nil
	}
	old, err := g.SeqAt(ctx, cutoff)
	if err != nil {
		return 0, 0, err
	}
	// Never the last event: it proves the end of the sequence to a reader.
	want = min(want, old, b.Last)
	if want <= b.First {
		return g.Floor(), 0, nil
	}
	// Floor first, purge after: a registration that is answered in between
	// sees the floor, not the events that are about to go.
	floor, err = g.raiseFloor(ctx, want, b.Created, pinnings)
	if err != nil {
		return 0, 0, err
	}
	if floor <= b.First {
		return floor, 0, nil
	}
	g.cfg.Failpoint("floor")
	// A purge beyond the last sequence would empty a stream and jump it, and a
	// stream created again has other events under these sequences.
	info, err := s.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("look up ingest: %w", err)
	}
	if now := boundsOf(info); !now.Created.Equal(b.Created) || floor > now.Last {
		return floor, 0, fmt.Errorf("ingest changed during a trim to %d: left alone", floor)
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(floor)); err != nil {
		return floor, 0, fmt.Errorf("purge ingest below %d: %w", floor, err)
	}
	g.cfg.Failpoint("purged")
	return floor, floor - b.First, nil
}
