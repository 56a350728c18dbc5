package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Lanes is what a trim of ingest needs from the lanes.
type Lanes interface {
	// Need returns the lowest position that each lane still needs.
	Need(ctx context.Context) (retention.Need, error)
	// Fence writes the state records of the given services' lanes again, or those of all
	// lanes; see retention.Fence.
	Fence(ctx context.Context, services []subjects.Name, all bool) (unknown map[subjects.Name]error, err error)
}

// perform performs the steps of an operation, one after the other. lanes answers the
// steps about lanes; it may be nil for every operation except a trim.
func (g *Ingest) perform(ctx context.Context, step retention.Step, lanes Lanes) error {
	for {
		var err error
		switch s := step.(type) {
		case retention.Done:
			return s.Err
		case retention.Look:
			var b Bounds
			if b, err = g.Bounds(ctx); err == nil {
				step = s.Then(b, g.Now())
			}
		case retention.ReadTime:
			var at time.Time
			var found bool
			if at, found, err = g.timeOf(ctx, s.Seq); err == nil {
				step = s.Then(at, found)
			}
		case retention.ReadNext:
			step, err = g.readNext(ctx, s)
		case retention.ReadLedger:
			r, before := retention.Read{}, g.ledger.Load()
			if r.Ledger, r.Revision, err = g.readLedger(ctx); err == nil {
				r.Now, r.Random = g.Now(), rand.Uint64()
				step = s.Then(r.Beside(before, g.ledger.Load()))
			}
		case retention.WriteLedger:
			step, err = g.write(ctx, s)
		case retention.Remember:
			g.remember(&s.Ledger)
			step = s.Then()
		case retention.LookAtLanes:
			var need retention.Need
			if need, err = lanes.Need(ctx); err == nil {
				step = s.Then(need)
			}
		case retention.Fence:
			var unknown map[subjects.Name]error
			if unknown, err = lanes.Fence(ctx, s.Services, s.All); err == nil {
				step = s.Then(unknown)
			}
		case retention.Purge:
			if err = g.purge(ctx, s.Below); err == nil {
				step = s.Then()
			}
		default:
			err = fmt.Errorf("ingest cannot perform a step of type %T", s)
		}
		if err != nil {
			return err
		}
	}
}

func (g *Ingest) write(ctx context.Context, s retention.WriteLedger) (retention.Step, error) {
	stored, err := g.writeLedger(ctx, s.Ledger, s.Revision)
	if err != nil {
		return nil, err
	}
	if stored {
		g.remember(&s.Ledger)
		if r := s.Begins; r != nil {
			g.cfg.Logger.Error("ingest was created again or rolled back: a new epoch begins",
				"epoch", r.Epoch, "first_seq", r.First, "created", r.Created)
		}
	}
	return s.Then(stored), nil
}

// remember keeps a ledger that was read or written, unless a newer one is known already.
// Erased events leave the memory before the ledger is in force.
func (g *Ingest) remember(l *retention.Ledger) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.ledger.Load()
	if !l.Replaces(known) {
		return
	}
	if known == nil || known.Erasures != l.Erasures {
		for _, w := range g.windows {
			w.erase(l)
		}
	}
	g.ledger.Store(l)
}

// timeOf asks when an event was stored.
func (g *Ingest) timeOf(ctx context.Context, seq uint64) (at time.Time, found bool, err error) {
	msg, err := g.message(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, err
	}
	return msg.Time.UTC(), true, nil
}

func (g *Ingest) readNext(ctx context.Context, s retention.ReadNext) (retention.Step, error) {
	stream, err := g.stream(ctx)
	if err != nil {
		return nil, err
	}
	msg, err := stream.GetMsg(ctx, s.Seq, jetstream.WithGetMsgSubject(">"))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return s.Then(0, time.Time{}, false), nil
	case err != nil:
		return nil, fmt.Errorf("read ingest from %d on: %w", s.Seq, err)
	}
	return s.Then(msg.Sequence, msg.Time.UTC(), true), nil
}

func (g *Ingest) purge(ctx context.Context, below uint64) error {
	g.cfg.Failpoint("floor")
	// Not through g.stream, which would create the stream where it is gone.
	s, err := g.cfg.JS.Stream(ctx, contract.StreamIngest)
	if err != nil {
		return fmt.Errorf("look up ingest: %w", err)
	}
	// A capture that is away finds by its record which changes are stored.
	below, kept := captured.Keep(ctx, g.cfg.JS, below, "a hub that trims ingest")
	if below > 0 {
		if err := s.Purge(ctx, jetstream.WithPurgeSequence(below)); err != nil {
			return errors.Join(fmt.Errorf("purge ingest below %d: %w", below, err), kept)
		}
	}
	g.cfg.Failpoint("purged")
	return kept
}
