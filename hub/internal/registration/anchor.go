package registration

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// anchor finds where the new interests of one registration begin, and pins
// ingest there: what they are due from cannot be trimmed before the lane's own
// state says so. It is one request's, not for concurrent use.
type anchor struct {
	ingest *ingest.Ingest
	pin    string
	// lowest is the lowest sequence pinned, when pinned is set.
	lowest uint64
	pinned time.Time

	// What ingest held when it was looked at for this edit.
	bounds ingest.Bounds
	marks  map[uint64]ingest.Mark
}

func newAnchor(g *ingest.Ingest, service subjects.Name) *anchor {
	return &anchor{ingest: g, pin: service.String() + "/" + nuid.Next()}
}

// look starts over for an edit: its new interests begin together.
func (a *anchor) look(ctx context.Context) error {
	_, b, err := a.ingest.End(ctx)
	if err != nil {
		return err
	}
	a.bounds, a.marks = b, make(map[uint64]ingest.Mark)
	return nil
}

// beginning is where a new interest begins.
type beginning struct {
	seq uint64
	// before is the mark that seq follows.
	before ingest.Mark
	// partial says that everything was asked for and older events are gone.
	partial bool
}

// begin finds and pins a start. field names it in refusals.
func (a *anchor) begin(ctx context.Context, s request.Start, field string) (beginning, error) {
	held := max(a.bounds.First, a.ingest.Floor())
	seq, err := a.wanted(ctx, s, held, field)
	if err != nil {
		return beginning{}, err
	}
	got, err := a.hold(ctx, seq)
	if err != nil {
		return beginning{}, err
	}
	if got > seq {
		// The floor has moved since held was read.
		if !s.All {
			return beginning{}, tooOld(field, got)
		}
		seq = got
	}
	before, err := a.markBefore(ctx, seq)
	if err != nil {
		return beginning{}, err
	}
	whole := a.ingest.EpochOf(seq) == 1 && seq == 1
	return beginning{seq: seq, before: before, partial: s.All && !whole}, nil
}

// wanted is the sequence that a start asks for; it is refused where ingest
// does not hold it any more.
func (a *anchor) wanted(ctx context.Context, s request.Start, held uint64, field string) (uint64, error) {
	if err := s.Beyond(a.bounds.Last, field); err != nil {
		return 0, err
	}
	at, err := s.Time(a.ingest.Now(), field)
	switch {
	case err != nil:
		return 0, err
	case s.All:
		return held, nil
	case s.Seq > 0 && s.Seq < held:
		return 0, tooOld(field, held)
	case s.Seq > 0:
		return s.Seq, nil
	case at.IsZero():
		return a.bounds.Last + 1, nil
	}
	seq, err := a.ingest.SeqAt(ctx, at)
	if err != nil || seq > held || held == 1 {
		return seq, err
	}
	first, err := a.markBefore(ctx, held+1)
	if err != nil {
		return 0, err
	}
	if at.Before(first.Time) {
		return 0, contract.FieldErrorf(contract.CodeTooOld, field,
			"ingest holds events since %s only; use \"all\" for what it holds", first.Time.Format(time.RFC3339Nano))
	}
	return held, nil
}

func tooOld(field string, held uint64) error {
	return contract.FieldErrorf(contract.CodeTooOld, field, "ingest holds events from %d on only; use \"all\" for what it holds", held)
}

// hold pins ingest from a sequence on, unless it is pinned from there already.
func (a *anchor) hold(ctx context.Context, seq uint64) (uint64, error) {
	if !a.pinned.IsZero() && seq >= a.lowest {
		return seq, nil
	}
	got, err := a.ingest.Pin(ctx, a.pin, seq)
	if err != nil {
		return 0, err
	}
	a.lowest, a.pinned = got, time.Now()
	return got, nil
}

func (a *anchor) markBefore(ctx context.Context, seq uint64) (ingest.Mark, error) {
	if m, ok := a.marks[seq]; ok {
		return m, nil
	}
	m, err := a.ingest.MarkBefore(ctx, seq)
	if err == nil {
		a.marks[seq] = m
	}
	return m, err
}

// release ends the pin. A pin that has run out protects nothing: the request is
// then refused rather than answered with a since that may be gone.
func (a *anchor) release(ctx context.Context) error {
	if a.pinned.IsZero() {
		return nil
	}
	held, err := a.ingest.Unpin(ctx, a.pin)
	if err != nil {
		return err
	}
	if !held {
		return contract.Errorf(contract.CodeUnavailable, "the registration took too long; send it again")
	}
	return nil
}

// abandon ends the pin of a request that was refused. One whose outcome is
// unknown keeps it until it runs out: the lane may hold its interests.
func (a *anchor) abandon(ctx context.Context, err error) {
	if _, refused := errors.AsType[*contract.Error](err); !refused || a.pinned.IsZero() {
		return
	}
	// A pin that stays runs out by itself.
	_, _ = a.ingest.Unpin(ctx, a.pin)
}
