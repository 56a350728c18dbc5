package ingest

import (
	"context"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
)

// Package retention decides which events may be purged and where readers continue.
// The functions here call it.

// Types of package retention for places in ingest.
type (
	// Mark is a place in ingest.
	Mark = retention.Mark
	// Bounds is what ingest holds, according to the stream's leader.
	Bounds = retention.Bounds
	// PolicyMark is what the ledger knows of an entity's policy.
	PolicyMark = retention.PolicyMark
)

// ErrTrimmed means that events after the mark are gone from ingest. Reading on would
// lose them silently.
var ErrTrimmed = retention.ErrTrimmed

// MarkOf is the mark of an event.
func MarkOf(e *event.Event) Mark { return retention.MarkOf(e) }

// identify brings the ledger up to the present stream; see retention.Identify.
func (g *Ingest) identify(ctx context.Context, atLeast uint64) error {
	return g.perform(ctx, retention.Identify(atLeast, func(f retention.Found) retention.Step {
		if f.Lost {
			g.reportLost(f.Bounds)
		}
		return retention.Done{}
	}), nil)
}

// KnowEpoch raises the current epoch to at least one that was seen in a lane. It is
// needed because a ledger that was lost while no hub ran begins with the first epoch.
func (g *Ingest) KnowEpoch(ctx context.Context, seen uint64) error {
	if g.Epoch() >= seen {
		return nil
	}
	return g.identify(ctx, seen)
}

// End is the mark of the last event stored.
func (g *Ingest) End(ctx context.Context) (m Mark, b Bounds, err error) {
	err = g.perform(ctx, retention.End(*g.ledger.Load(), func(now Bounds, l retention.Ledger) retention.Step {
		m, b = Mark{Position: l.PositionOf(now.Last), Time: now.LastTime}, now
		return retention.Done{}
	}), nil)
	return m, b, err
}

// Resume checks a mark that was recorded earlier against the present stream, and
// returns the mark from which to continue; see retention.Resume. ErrTrimmed means
// that events after the mark are gone.
func (g *Ingest) Resume(ctx context.Context, m Mark) (Mark, error) {
	at, err := g.mark(ctx, func(then func(Mark) retention.Step) retention.Step { return retention.Resume(m, then) })
	if err == nil && at.Epoch != m.Epoch {
		g.cfg.Logger.Warn("resuming in a later epoch", "from", m.String(), "to", at.String())
	}
	return at, err
}

// ResumeAll is Resume for marks that are compared with each other; see retention.ResumeAll.
func (g *Ingest) ResumeAll(ctx context.Context, marks []Mark) (resumed []Mark, err error) {
	err = g.perform(ctx, retention.ResumeAll(marks, func(m []Mark) retention.Step {
		resumed = m
		return retention.Done{}
	}), nil)
	for i, at := range resumed {
		if at.Epoch != marks[i].Epoch {
			g.cfg.Logger.Warn("resuming in a later epoch", "from", marks[i].String(), "to", at.String())
		}
	}
	return resumed, err
}

// MarkBefore is the mark of the event before seq, from which a reader gets seq first.
func (g *Ingest) MarkBefore(ctx context.Context, seq uint64) (Mark, error) {
	l := g.ledger.Load()
	return g.mark(ctx, func(then func(Mark) retention.Step) retention.Step { return l.MarkBefore(seq, then) })
}

func (g *Ingest) mark(ctx context.Context, find func(then func(Mark) retention.Step) retention.Step) (found Mark, err error) {
	err = g.perform(ctx, find(func(m Mark) retention.Step {
		found = m
		return retention.Done{}
	}), nil)
	return found, err
}

// SeqAt is the first sequence stored at t or later, Last+1 when there is none.
func (g *Ingest) SeqAt(ctx context.Context, t time.Time) (seq uint64, err error) {
	err = g.perform(ctx, retention.Look{Then: func(b Bounds, _ time.Time) retention.Step {
		return b.SeqAt(t, func(found uint64) retention.Step {
			seq = found
			return retention.Done{}
		})
	}}, nil)
	return seq, err
}

// Trim purges the events that no lane needs and that are old enough; see
// retention.Trim.
func (g *Ingest) Trim(ctx context.Context, p retention.Policy, lanes Lanes) (done retention.Trimmed, err error) {
	err = g.perform(ctx, retention.Trim(p, func(t retention.Trimmed) retention.Step {
		done = t
		return retention.Done{}
	}), lanes)
	return done, err
}

// Anchor finds and pins where the interests of a registration begin. Its methods must
// not be called concurrently.
type Anchor struct {
	g *Ingest
	a *retention.Anchor
}

// NewAnchor makes the anchor of a registration with an id that no other has.
func (g *Ingest) NewAnchor(id string) *Anchor { return &Anchor{g, retention.NewAnchor(id)} }

// Look looks at ingest for an edit of the lane's state, and returns what it holds.
func (a *Anchor) Look(ctx context.Context) (Bounds, error) {
	err := a.g.perform(ctx, a.a.Look(*a.g.ledger.Load(), func() retention.Step { return retention.Done{} }), nil)
	return a.a.Bounds(), err
}

// Begin finds a start and pins it. It fails with *retention.TooOldError where ingest
// may not hold the start any more.
func (a *Anchor) Begin(ctx context.Context, s retention.Start) (b retention.Beginning, err error) {
	err = a.g.perform(ctx, a.a.Begin(s, func(found retention.Beginning) retention.Step {
		b = found
		return retention.Done{}
	}), nil)
	return b, err
}

// Policy is retention.Anchor.Policy.
func (a *Anchor) Policy(entity string) PolicyMark { return a.a.Policy(entity) }

// Release ends the pin, and reports whether it still held.
func (a *Anchor) Release(ctx context.Context) (held bool, err error) {
	err = a.g.perform(ctx, a.a.Release(func(still bool) retention.Step {
		held = still
		return retention.Done{}
	}), nil)
	return held, err
}

// Compares reports whether marks that were found just now compare with a lane's
// position; see retention.Ledger.Compares.
func (g *Ingest) Compares(ctx context.Context, pos Mark) (compares bool, err error) {
	err = g.perform(ctx, g.ledger.Load().Compares(pos, func(is bool) retention.Step {
		compares = is
		return retention.Done{}
	}), nil)
	return compares, err
}

// LowestPin is the lowest sequence that a registration has pinned; ok is false when
// there is none.
func (g *Ingest) LowestPin(ctx context.Context) (seq uint64, ok bool, err error) {
	l, revision, err := g.readLedger(ctx)
	if revision == 0 {
		l = *g.ledger.Load()
	}
	seq, ok = l.LowestPin()
	return seq, ok, err
}

// Ledger is the ledger as last read or written; read-only.
func (g *Ingest) Ledger() retention.Ledger { return *g.ledger.Load() }

// Epoch is the current epoch as last read.
func (g *Ingest) Epoch() uint64 { return g.ledger.Load().Current().Epoch }

// Floor is the trim floor as last read.
func (g *Ingest) Floor() uint64 { return g.ledger.Load().Floor }

// EpochOf is the epoch of a sequence of the present stream, as last read.
func (g *Ingest) EpochOf(seq uint64) uint64 { return g.ledger.Load().EpochOf(seq) }

// PositionOf is the position of a sequence of the present stream.
func (g *Ingest) PositionOf(seq uint64) event.Position { return g.ledger.Load().PositionOf(seq) }

// Was reports whether an event can have been at a position.
func (g *Ingest) Was(pos event.Position) bool { return g.ledger.Load().Was(pos) }

// restoreLedger stores what this hub knows and the ledger lacks.
func (g *Ingest) restoreLedger(ctx context.Context) error {
	return g.perform(ctx, retention.Restore(func() retention.Step { return retention.Done{} }), nil)
}
