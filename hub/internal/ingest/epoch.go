package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// identify makes the ledger know the stream that exists now: a stream of
// another creation time opens a new epoch. atLeast is an epoch seen elsewhere
// (in a lane) that the current one must not fall behind, for a ledger that was
// lost with the stream.
func (g *Ingest) identify(ctx context.Context, atLeast uint64) (Bounds, error) {
	b, err := g.Bounds(ctx)
	if err != nil {
		return Bounds{}, err
	}
	lost := false
	l, err := g.updateLedger(ctx, func(l *ledger) (bool, error) {
		if lost = len(l.Epochs) == 0 && b.Last > 0; len(l.Epochs) == 0 {
			l.Epochs = []Range{{Epoch: max(atLeast, 1), First: 1, Created: b.Created}}
			l.Floor = b.First
			return true, nil
		}
		cur := l.current()
		if cur.Created.Equal(b.Created) && cur.Epoch >= atLeast {
			return false, nil
		}
		g.open(l, Range{Epoch: max(cur.Epoch, atLeast) + 1, First: 1, Created: b.Created})
		return true, nil
	})
	if err != nil {
		return Bounds{}, err
	}
	if lost {
		g.reportLost(b)
	}
	if cur := l.current(); !cur.Created.Equal(b.Created) {
		return Bounds{}, fmt.Errorf("stream %q was created again just now", contract.StreamIngest)
	}
	return b, nil
}

// open adds an epoch. Floor and pins speak of the stream before.
func (g *Ingest) open(l *ledger, r Range) {
	if !l.current().Created.Equal(r.Created) {
		l.Floor = 0
		l.dropPins()
	}
	l.Floor = min(l.Floor, r.First) // after a rollback the events behind are new ones
	l.Epochs = append(l.Epochs, r)
	g.cfg.Logger.Error("ingest is not what it was: a new epoch begins",
		"epoch", r.Epoch, "first_seq", r.First, "created", r.Created)
}

// known checks that the ledger last read speaks of this stream, and has it
// speak of it otherwise.
func (g *Ingest) known(ctx context.Context, b Bounds) error {
	if g.ledger.Load().current().Created.Equal(b.Created) {
		return nil
	}
	_, err := g.identify(ctx, 0)
	return err
}

// Resume checks a mark that was recorded earlier against the stream as it is,
// and returns the mark to read on from. They differ when ingest was created
// again or rolled back (a lost tail whose sequences are used anew): reading
// goes on at the first event stored after the mark's time, in a new epoch.
// ErrTrimmed means that events after the mark are gone.
func (g *Ingest) Resume(ctx context.Context, m Mark) (Mark, error) {
	b, err := g.identify(ctx, m.Epoch)
	if err != nil {
		return Mark{}, err
	}
	l := g.ledger.Load()
	if next, closed := l.end(m.Epoch); closed {
		return g.resumeAfter(ctx, l, b, m, next)
	}
	switch {
	case m.Seq > b.Last:
		return g.rolledBack(ctx, b, m)
	case m.Seq+1 < b.First:
		return Mark{}, fmt.Errorf("%w: position %s, first held %d", ErrTrimmed, m.Position, b.First)
	case m.Seq+1 == b.First || m.Time.IsZero():
		return m, nil
	}
	same, err := g.stillThere(ctx, m)
	if err != nil {
		return Mark{}, err
	}
	if !same {
		return g.rolledBack(ctx, b, m)
	}
	return m, nil
}

// resumeAfter is Resume for a mark in an epoch that has ended where next begins.
func (g *Ingest) resumeAfter(ctx context.Context, l *ledger, b Bounds, m Mark, next Range) (Mark, error) {
	inStream := next.Created.Equal(l.current().Created)
	if inStream && m.Seq+1 < next.First {
		// Before the break, in the part that survived.
		if m.Seq+1 < b.First {
			return Mark{}, fmt.Errorf("%w: position %s, first held %d", ErrTrimmed, m.Position, b.First)
		}
		return m, nil
	}
	// Skip epochs of streams that are gone: only the present one can be read.
	first := next
	for _, r := range l.Epochs {
		if r.Epoch >= next.Epoch && r.Created.Equal(l.current().Created) {
			first = r
			break
		}
	}
	if max(first.First, 1) < b.First {
		return Mark{}, fmt.Errorf("%w: epoch %d begins at %d, first held %d", ErrTrimmed, first.Epoch, first.First, b.First)
	}
	after, err := g.MarkBefore(ctx, max(first.First, 1))
	if err != nil {
		return Mark{}, err
	}
	after.Epoch = first.Epoch
	g.cfg.Logger.Warn("resuming in a later epoch", "from", m.String(), "to", after.String())
	return after, nil
}

// rolledBack opens the epoch after a lost tail: it begins at the first event
// stored after the mark's.
func (g *Ingest) rolledBack(ctx context.Context, b Bounds, m Mark) (Mark, error) {
	first := b.Last + 1
	if !m.Time.IsZero() {
		at, err := g.SeqAt(ctx, m.Time.Add(time.Nanosecond))
		if err != nil {
			return Mark{}, err
		}
		first = at
	}
	epoch := m.Epoch + 1
	l, err := g.updateLedger(ctx, func(l *ledger) (bool, error) {
		if l.current().Epoch > m.Epoch {
			return false, nil // another lane or hub has seen it first
		}
		g.open(l, Range{Epoch: epoch, First: first, Created: b.Created})
		return true, nil
	})
	if err != nil {
		return Mark{}, err
	}
	next, _ := l.end(m.Epoch)
	return g.resumeAfter(ctx, &l, b, m, next)
}

// stillThere reports whether the event at the mark has the mark's time.
func (g *Ingest) stillThere(ctx context.Context, m Mark) (bool, error) {
	msg, err := g.message(ctx, m.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, fmt.Errorf("%w: the event at %s was deleted", ErrTrimmed, m.Position)
	}
	if err != nil {
		return false, err
	}
	return msg.Time.Equal(m.Time), nil
}
