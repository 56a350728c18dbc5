package retention

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// Start is where a new interest is to begin. The zero Start is behind the last event.
type Start struct {
	// All begins with the first event that ingest holds.
	All bool
	// Seq is a sequence, 0 for none; At a time, zero for none.
	Seq uint64
	At  time.Time
}

// Beginning is where a new interest begins.
type Beginning struct {
	// At is the first event that the interest gets, Before the mark that this event
	// follows.
	At     event.Position
	Before Mark
	// Partial says that all events were requested and older ones are gone.
	Partial bool
}

// TooOldError refuses a start below what ingest holds.
type TooOldError struct {
	// Held is the first sequence that a start may have.
	Held uint64
	// HeldSince is when that event was stored, if the start was a time.
	HeldSince time.Time
}

// Error implements error.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("ingest holds events from %d on only", e.Held)
}

// Anchor finds where the new interests of one registration begin, and first pins
// ingest there, so that their events cannot be trimmed before the lane's own state
// protects them. An Anchor is for one registration.
type Anchor struct {
	id string
	// pinned says that a pin was set, held that a pin was set since the last Look, and
	// lowest at which sequence.
	pinned, held bool
	lowest       uint64

	// The results of the last Look, for the edit under way.
	bounds Bounds
	ledger Ledger
	marks  map[uint64]Mark
}

// NewAnchor makes the anchor of a registration. The id is unique, and begins with the
// name of the service and a slash.
func NewAnchor(id string) *Anchor { return &Anchor{id: id} }

// Bounds returns what ingest held at the last Look.
func (a *Anchor) Bounds() Bounds { return a.bounds }

// Policy returns the mark of an entity's policy at the time of the pin, zero without a
// policy. It is valid after Begin: a policy that is marked later sees the
// pin.
func (a *Anchor) Policy(entity string) PolicyMark { return a.ledger.Policies[entity] }

// Look reads ingest's bounds for an edit of the lane's state, so that the new
// interests of one edit begin together. known is the ledger last read.
func (a *Anchor) Look(known Ledger, then func() Step) Step {
	a.held = false
	return End(known, func(b Bounds, l Ledger) Step {
		a.bounds, a.ledger, a.marks = b, l, make(map[uint64]Mark)
		return then()
	})
}

// Begin finds a start and pins it. It fails with *TooOldError if ingest may not hold
// the start any more, and with ErrChanged if the edit has to begin again.
func (a *Anchor) Begin(s Start, then func(Beginning) Step) Step {
	held := max(a.bounds.First, a.ledger.Floor)
	return a.find(s, held, func(seq uint64) Step {
		return a.hold(seq, func(got uint64) Step {
			if got > seq && s == (Start{}) {
				return Done{ErrChanged} // the floor is behind the end, which the next look brings in order
			}
			if got > seq && !s.All {
				return Done{&TooOldError{Held: got}} // the floor has moved since held was read
			}
			return a.markBefore(got, func(before Mark) Step {
				at := a.ledger.PositionOf(got)
				whole := at == event.Position{Epoch: 1, Seq: 1}
				return then(Beginning{At: at, Before: before, Partial: s.All && !whole})
			})
		})
	})
}

// find finds the sequence that a start asks for. held is the first sequence that ingest
// certainly holds.
func (a *Anchor) find(s Start, held uint64, then func(seq uint64) Step) Step {
	switch {
	case s.All:
		return then(held)
	case s.Seq > 0 && s.Seq < held:
		return Done{&TooOldError{Held: held}}
	case s.Seq > 0:
		return then(s.Seq)
	case s.At.IsZero():
		return then(a.bounds.Last + 1)
	}
	return a.bounds.SeqAt(s.At, func(seq uint64) Step {
		if seq > held || held == 1 {
			return then(seq)
		}
		return a.markBefore(held+1, func(first Mark) Step {
			if s.At.Before(first.Time) {
				return Done{&TooOldError{Held: held, HeldSince: first.Time}}
			}
			return then(held)
		})
	})
}

// hold pins ingest from a sequence on, unless it is already pinned from there.
func (a *Anchor) hold(seq uint64, then func(got uint64) Step) Step {
	if a.held && seq >= a.lowest {
		return then(seq)
	}
	return PinFrom(a.id, seq, func(got uint64, l Ledger) Step {
		a.lowest, a.pinned, a.held, a.ledger = got, true, true, l
		return then(got)
	})
}

func (a *Anchor) markBefore(seq uint64, then func(Mark) Step) Step {
	if m, ok := a.marks[seq]; ok {
		return then(m)
	}
	return a.ledger.MarkBefore(seq, func(m Mark) Step {
		// The floor may have been lost with the ledger. So ask what ingest holds after
		// the pin is set.
		return a.bounds.still(func(is bool, now Bounds) Step {
			if !is || seq < now.First {
				return Done{ErrChanged}
			}
			a.marks[seq] = m
			return then(m)
		})
	})
}

// Release ends the pin, once the lane's state holds the interests. held is false if the
// pin has expired: the events may be gone, so the registration must be refused.
func (a *Anchor) Release(then func(held bool) Step) Step {
	if !a.pinned {
		return then(true)
	}
	return Unpin(a.id, then)
}
