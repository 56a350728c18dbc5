package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

const (
	// maxErased bounds the erased events that the ledger remembers: those that lie among
	// the events that ingest still holds. A mark takes about 12 bytes in the ledger.
	// Its three varints have at most 10 bytes each, which base64 makes markBytes.
	maxErased = 30_000
	markBytes = 40
	// settleTries is how often a capture's record is written again where the capture itself
	// was first.
	settleTries = 5
)

// mostErased is how many erased events the ledger has room for.
func (g *Ingest) mostErased() int {
	return min(maxErased, int(g.cfg.JS.Conn().MaxPayload()/2/markBytes))
}

// Erase removes events from ingest, which are given by their marks. It first records them
// in the ledger. From then on no reader of any hub that has read the ledger returns them.
// Then it has the captures' records say that they are stored, and deletes them. A crash in between leaves events that readers pass over; another
// call deletes them. It returns how many the stream refuses to delete (see
// hubstream.Erase): readers pass over them too, and a trim removes them. note is also
// recorded.
func (g *Ingest) Erase(ctx context.Context, marks []Mark, note *retention.Erasure) (refused int, err error) {
	err = g.perform(ctx, retention.Erase(marks, g.mostErased(), note, func(retention.Ledger) retention.Step {
		return retention.Done{}
	}), nil)
	if err != nil {
		return 0, err
	}
	g.cfg.Failpoint("erase recorded")
	if len(marks) == 0 {
		return 0, nil
	}
	if err := g.settleCaptures(ctx, marks); err != nil {
		return 0, err
	}
	s, err := g.stream(ctx)
	if err != nil {
		return 0, err
	}
	for _, m := range marks {
		err := hubstream.Erase(ctx, s, m.Seq)
		switch {
		case errors.Is(err, hubstream.ErrKeepsMessages):
			refused++
		case err != nil:
			return refused, fmt.Errorf("erase event %d of ingest: %w", m.Seq, err)
		}
	}
	return refused, nil
}

// settleCaptures has the records of captures say how far their changes are stored, before
// events go from which a capture would tell that at its next start. Without them it would
// publish the changes again, the erased ones too.
func (g *Ingest) settleCaptures(ctx context.Context, marks []Mark) error {
	var last uint64
	for _, m := range marks {
		last = max(last, m.Seq)
	}
	for try := 1; ; try++ {
		_, err := captured.Keep(ctx, g.cfg.JS, last+1, "a hub that erases")
		if err == nil {
			return nil
		}
		// A capture that runs may write its record at the same moment.
		if try == settleTries || !errors.Is(err, captured.ErrFenced) {
			return fmt.Errorf("nothing was deleted, because a capture would publish the changes again: %w; repair that capture, and send the request again", err)
		}
	}
}

// Noted reads the latest erasures, oldest first.
func (g *Ingest) Noted(ctx context.Context) ([]retention.Erasure, error) {
	l, revision, err := g.readLedger(ctx)
	if revision == 0 {
		l = *g.ledger.Load()
	}
	return l.Noted, err
}

// Erased reports whether an event was erased, as far as this hub knows.
func (g *Ingest) Erased(e *event.Event) bool { return g.ledger.Load().HasErased(e.Pos.Seq, e.Time) }

// ErasedAt reports whether the event at a position was erased, as far as this hub knows,
// where ingest holds none.
func (g *Ingest) ErasedAt(pos event.Position) bool {
	m, erased := g.ledger.Load().ErasedAt(pos.Seq)
	return erased && m.Position == pos
}

// Erasures changes whenever this hub learns of erased events. Events that were read
// before must then be read again.
func (g *Ingest) Erasures() uint64 { return g.ledger.Load().Erasures }

// passedOver stands for an erased event in a reader's events. No interest matches it.
func passedOver(m Mark) *event.Event { return &event.Event{Pos: m.Position, Time: m.Time} }

// explain returns what stands between two events that follow each other in a reader; ok
// is false if an event in between is lost. The ledger is read only if this hub knows of no
// erasure there: a key's events may leave thousands of gaps.
func (g *Ingest) explain(ctx context.Context, at, next Mark) (between []Mark, ok bool, err error) {
	if between, ok = g.ledger.Load().Explains(at, next); ok {
		return between, true, nil
	}
	l, revision, err := g.readLedger(ctx)
	if err != nil || revision == 0 {
		return nil, false, err
	}
	g.remember(&l)
	between, ok = l.Explains(at, next)
	return between, ok, nil
}

// Wanted says which events Find looks for.
type Wanted struct {
	Entity subjects.Name
	Key    string
	// After is the sequence behind which the look begins. UpTo is the last that counts; 0
	// is the end of ingest.
	After, UpTo uint64
	// Most is how many events a look finds at most.
	Most int
}

// Findings are the result of a look at a part of ingest.
type Findings struct {
	// Marks are the events found, Subjects their subjects. Bare says which are deletes
	// without a payload.
	Marks    []Mark
	Subjects []string
	Bare     []bool
	// Seq is the last sequence looked at; the next look begins behind it.
	Seq uint64
	// Looked counts the events looked at.
	Looked int
	// Done says that the look came to the end.
	Done bool
}

// allEvents matches the subject of every event.
const allEvents = "db.>"

// Find looks for the events of a key, including those that were recorded as erased and are
// still there. It returns when it has found enough, at the end, or when looking ends, which
// is no error.
func (g *Ingest) Find(ctx, looking context.Context, want Wanted) (Findings, error) {
	found := Findings{Seq: want.After}
	s, err := g.stream(ctx)
	if err != nil {
		return found, err
	}
	last, err := s.GetLastMsgForSubject(ctx, allEvents)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		found.Done = true
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("read the last event of ingest: %w", err)
	}
	upTo := last.Sequence
	if want.UpTo > 0 {
		upTo = min(upTo, want.UpTo)
	}
	after := max(want.After, max(s.CachedInfo().State.FirstSeq, 1)-1)
	if found.Done = upTo <= after; found.Done {
		return found, nil
	}
	r, err := g.newReader(ctx, Mark{Position: g.PositionOf(after)}, g.cfg.TailPullBytes)
	if err != nil {
		return found, err
	}
	defer r.close()
	r.all = true
	for !found.Done && len(found.Marks) < want.Most {
		e, err := r.read(looking)
		if err != nil && looking.Err() != nil && ctx.Err() == nil {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		found.take(e, want, upTo)
	}
	return found, nil
}

func (f *Findings) take(e *event.Event, want Wanted, upTo uint64) {
	f.Done = e.Pos.Seq >= upTo
	if e.Pos.Seq > upTo {
		return // the last one was deleted
	}
	f.Seq = e.Pos.Seq
	f.Looked++
	if e.Key == want.Key && e.Subject.Entity() == want.Entity {
		f.Marks = append(f.Marks, MarkOf(e))
		f.Subjects = append(f.Subjects, e.Subject.String())
		f.Bare = append(f.Bare, e.Subject.Op() == subjects.Delete && len(e.Data) == 0)
	}
}
