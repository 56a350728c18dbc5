package retention

import (
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// ErrTrimmed means that events after the mark are gone from ingest. Reading on would
// lose them silently.
var ErrTrimmed = errors.New("ingest no longer holds the events after the position")

// errCreatedAgain means that the stream has been replaced by another one since the
// last step.
var errCreatedAgain = errors.New("ingest was created again just now")

// ErrChanged means that ingest was created again, rolled back or trimmed during a
// decision about it. Repeating the decision is safe.
var ErrChanged = errors.New("ingest was created again, rolled back or trimmed just now")

// Mark is a place in ingest: the last processed event, and when ingest stored it.
// When a reader comes back, the time proves that the event at the sequence is still
// the same one.
type Mark struct {
	event.Position
	// Time is zero if no event is known at the position; the time is then not checked.
	Time time.Time `json:"time,omitzero"`
}

// MarkOf is the mark of an event.
func MarkOf(e *event.Event) Mark { return Mark{Position: e.Pos, Time: e.Time} }

// String is "1-42@2006-01-02T15:04:05.999999999Z".
func (m Mark) String() string {
	return fmt.Sprintf("%s@%s", m.Position, m.Time.Format(time.RFC3339Nano))
}

// Bounds is what ingest holds, according to the stream's leader.
type Bounds struct {
	// First and Last are sequences; an empty stream has First == Last+1.
	First, Last uint64
	// FirstTime and LastTime are when they were stored; zero in an empty stream.
	FirstTime, LastTime time.Time
	Messages            uint64
	Bytes               uint64
	Created             time.Time
}

// still finds whether ingest is still the stream that b describes, and has lost no
// events except by a trim. If so, everything that was read since is of one stream. now is
// what ingest holds now.
func (b Bounds) still(then func(is bool, now Bounds) Step) Step {
	return Look{func(now Bounds, _ time.Time) Step {
		if now.First <= b.First {
			return b.stands(now, then)
		}
		return ReadLedger{func(r Read) Step { // the first events may be erased, and not trimmed
			if l, _ := r.latest(); len(l.Epochs) > 0 {
				now = l.filled(now)
			}
			return b.stands(now, then)
		}}
	}}
}

// stands is still, for what ingest holds now.
func (b Bounds) stands(now Bounds, then func(is bool, now Bounds) Step) Step {
	switch {
	case !now.Created.Equal(b.Created) || now.Last < b.Last:
		return then(false, now)
	case b.Messages == 0 || b.Last < now.First:
		return then(true, now)
	}
	return timeAt(b.Last, func(at time.Time, found bool) Step {
		if !found {
			return b.without(now, then)
		}
		return then(at.Equal(b.LastTime), now)
	})
}

// without continues still if the last event that b knew is not found. The server has lost
// the event, within a gap (see Gap), if the sequence is not found again while ingest holds
// the sequences around it. Else the event was trimmed or rolled back between the questions.
func (b Bounds) without(before Bounds, then func(is bool, now Bounds) Step) Step {
	return Look{func(now Bounds, _ time.Time) Step {
		if !now.Created.Equal(b.Created) || now.Last < before.Last || b.Last < now.First {
			return then(false, now)
		}
		return timeAt(b.Last, func(at time.Time, found bool) Step { return then(!found || at.Equal(b.LastTime), now) })
	}}
}

// MarkBefore finds the mark of the event before seq, from which a reader gets seq
// first.
func (l *Ledger) MarkBefore(seq uint64, then func(Mark) Step) Step {
	if seq <= 1 {
		return then(Mark{Position: event.Position{Epoch: l.EpochOf(seq)}})
	}
	return timeAt(seq-1, func(at time.Time, found bool) Step {
		if !found { // seq is the first still held
			return then(Mark{Position: event.Position{Epoch: l.EpochOf(seq), Seq: seq - 1}})
		}
		return then(Mark{Position: l.PositionOf(seq - 1), Time: at})
	})
}

// SeqAt finds the first sequence stored at t or later, Last+1 when there is none.
// Times ascend with sequences, and an erased event has a mark. So a binary search holds.
// Within a gap (see Gap) the result may be any sequence of the gap.
func (b Bounds) SeqAt(t time.Time, then func(seq uint64) Step) Step {
	return search(b.First, b.Last+1, t, then)
}

// search looks for the first sequence stored at t or later in [low, high].
func search(low, high uint64, t time.Time, then func(seq uint64) Step) Step {
	if low >= high {
		return then(low)
	}
	mid := low + (high-low)/2
	return timeAt(mid, func(at time.Time, found bool) Step {
		switch {
		case !found:
			return searchBehind(low, mid, high, t, then)
		case at.Before(t):
			return search(mid+1, high, t, then)
		default:
			return search(low, mid, t, then)
		}
	})
}

// searchBehind is search where ingest does not hold the event at mid: the first event
// behind it stands in for it, if the event lies within a gap.
func searchBehind(low, mid, high uint64, t time.Time, then func(seq uint64) Step) Step {
	return Look{func(b Bounds, _ time.Time) Step {
		if mid < b.First || mid > b.Last { // trimmed meanwhile, or another stream: the rest is unknown
			return Done{fmt.Errorf("ingest does not hold event %d any more: it was trimmed or created again meanwhile", mid)}
		}
		return ReadNext{mid, func(seq uint64, at time.Time, found bool) Step {
			if found && seq < high && at.Before(t) {
				return search(seq+1, high, t, then)
			}
			return search(low, mid, t, then)
		}}
	}}
}

// Prove finds whether a reader that was opened behind a mark is valid: the stream is
// the ledger's, and the event at the mark is still the mark's. So ingest was not
// rolled back or created again between Resume and the opening.
func (l *Ledger) Prove(m Mark, then func(bool) Step) Step {
	if l.Stale(m.Position) {
		return then(false)
	}
	return Look{func(b Bounds, _ time.Time) Step {
		if !b.Created.Equal(l.Current().Created) || m.Seq > b.Last {
			return then(false)
		}
		return prove(m, then)
	}}
}

// Compares finds whether marks that were found just now can be compared with a lane's
// position: ingest is still the stream of the position, and no rollback was noticed since
// the lane resumed. The caller asks after it has found the marks, so the answer also
// proves the marks that lie before the position.
func (l *Ledger) Compares(pos Mark, then func(bool) Step) Step {
	return l.Prove(pos, then)
}

// prove finds whether the event at a mark is still the mark's. A mark without a time
// proves nothing.
func prove(m Mark, then func(bool) Step) Step {
	if m.Time.IsZero() {
		return then(true)
	}
	return timeAt(m.Seq, func(at time.Time, found bool) Step {
		if found {
			return then(at.Equal(m.Time))
		}
		// The event may be purged once only later events are needed.
		return Look{func(b Bounds, _ time.Time) Step {
			if b.First <= m.Seq+1 {
				return then(b.First == m.Seq+1)
			}
			return ReadLedger{func(r Read) Step { // the first events may be erased
				l, _ := r.latest()
				return then(len(l.Epochs) > 0 && l.filled(b).First == m.Seq+1)
			}}
		}}
	})
}
