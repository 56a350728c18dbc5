package retention

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// Erased are the marks of events that were erased by request, ascending by sequence. The
// events need no longer be in ingest; their marks stay here as long as a reader may come
// to them. Without the marks, an erased event would look like one that ingest has lost.
// A mark says nothing of the event except its place and time. An Erased is not changed
// once a Ledger has it.
type Erased []Mark

// errErased means that the list of erased events cannot be read.
var errErased = errors.New("the list of erased events is not in a known form")

// MarshalJSON writes the marks as base64 of varints: for each mark its epoch, and its
// sequence and time as differences to the mark before.
func (e Erased) MarshalJSON() ([]byte, error) {
	var data []byte
	var seq uint64
	var at int64
	for _, m := range e {
		data = binary.AppendUvarint(data, m.Epoch)
		data = binary.AppendUvarint(data, m.Seq-seq)
		data = binary.AppendVarint(data, m.Time.UnixNano()-at)
		seq, at = m.Seq, m.Time.UnixNano()
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(data))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Erased) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%w: %w", errErased, err)
	}
	data, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return fmt.Errorf("%w: %w", errErased, err)
	}
	var marks []Mark
	var seq uint64
	var at int64
	for len(data) > 0 {
		epoch, n := binary.Uvarint(data)
		step, k := binary.Uvarint(data[max(n, 0):])
		later, j := binary.Varint(data[max(n, 0)+max(k, 0):])
		if n <= 0 || k <= 0 || j <= 0 || step == 0 || seq+step < seq {
			return errErased
		}
		data = data[n+k+j:]
		seq, at = seq+step, at+later
		marks = append(marks, Mark{Position: event.Position{Epoch: epoch, Seq: seq}, Time: time.Unix(0, at).UTC()})
	}
	*e = marks
	return nil
}

// at returns the mark at a sequence.
func (e Erased) at(seq uint64) (Mark, bool) {
	i := sort.Search(len(e), func(i int) bool { return e[i].Seq >= seq })
	if i == len(e) || e[i].Seq != seq {
		return Mark{}, false
	}
	return e[i], true
}

// with returns the marks and others. Another mark at the same sequence counts instead if it
// is not of an earlier epoch: the sequence was used again.
func (e Erased) with(others []Mark) Erased {
	all := slices.Concat(e, others)
	slices.SortStableFunc(all, func(a, b Mark) int { return a.Compare(b.Position) })
	slices.SortStableFunc(all, func(a, b Mark) int {
		switch {
		case a.Seq < b.Seq:
			return -1
		case a.Seq > b.Seq:
			return 1
		}
		return 0
	})
	// A sequence that was used again has a mark of a later epoch, which stands last.
	slices.Reverse(all)
	all = slices.CompactFunc(all, func(a, b Mark) bool { return a.Seq == b.Seq })
	slices.Reverse(all)
	return all
}

// within returns the marks from a sequence on, and below another one; 0 is no bound.
func (e Erased) within(from, below uint64) Erased {
	var kept Erased
	for _, m := range e {
		if m.Seq >= from && (below == 0 || m.Seq < below) {
			kept = append(kept, m)
		}
	}
	return kept
}

// same reports whether others are the same marks.
func (e Erased) same(others []Mark) bool {
	return slices.EqualFunc(e, others, func(a, b Mark) bool { return a.Position == b.Position && a.Time.Equal(b.Time) })
}

// ErasedAt returns the mark of an event of the present stream that was erased. Readers
// pass over such an event, whether or not ingest still holds it. An event that ingest holds
// at the mark, and that has another time, is another one: ingest has lost the erased event
// and used its sequence again, and nobody has noticed that yet.
func (l *Ledger) ErasedAt(seq uint64) (Mark, bool) {
	if len(l.Erased) == 0 {
		return Mark{}, false
	}
	m, ok := l.Erased.at(seq)
	return m, ok && m.Epoch == l.EpochOf(seq)
}

// Explains returns the marks of the events between two that follow each other in a
// reader. ok is false if one of these events was not erased: it is lost. The times must
// ascend: otherwise ingest was rolled back, and the marks are of other events.
func (l *Ledger) Explains(at, next Mark) (between []Mark, ok bool) {
	before := at.Time
	for seq := at.Seq + 1; seq < next.Seq; seq++ {
		m, erased := l.ErasedAt(seq)
		if !erased || m.Time.Before(before) || next.Time.Before(m.Time) {
			return nil, false
		}
		between, before = append(between, m), m.Time
	}
	return between, true
}

// HasErased reports whether an event that was stored at a time is erased.
func (l *Ledger) HasErased(seq uint64, stored time.Time) bool {
	m, erased := l.ErasedAt(seq)
	return erased && m.Time.Equal(stored)
}

// filled returns the bounds as if erased events at the beginning were still there. Such an
// event was not trimmed, and a position right behind it is valid.
func (l *Ledger) filled(b Bounds) Bounds {
	if len(l.Erased) == 0 || !b.Created.Equal(l.Current().Created) {
		return b
	}
	for b.First > max(l.Floor, 1) {
		m, erased := l.ErasedAt(b.First - 1)
		if !erased {
			break
		}
		b.First, b.FirstTime = m.Seq, m.Time
	}
	return b
}

// fill finds the bounds as if erased events were still there, also at the end. The server's
// time of a last event that was deleted is not certain, and after an unnoticed rollback the
// last event is another one than the mark's.
func (l *Ledger) fill(b Bounds, then func(Bounds) Step) Step {
	b = l.filled(b)
	m, erased := l.ErasedAt(b.Last)
	if !erased || !b.Created.Equal(l.Current().Created) {
		return then(b)
	}
	return ReadTime{b.Last, func(at time.Time, found bool) Step {
		if b.LastTime = m.Time; found {
			b.LastTime = at
		}
		return then(b)
	}}
}

// timeAt is ReadTime for a mark: an event that was erased has the time of its mark.
func timeAt(seq uint64, then func(at time.Time, found bool) Step) Step {
	return ReadTime{seq, func(at time.Time, found bool) Step {
		if found {
			return then(at, true)
		}
		// The ledger is written before the event is deleted, so it is read afterwards.
		return ReadLedger{func(r Read) Step {
			l, improved := r.latest()
			if len(l.Epochs) == 0 {
				return then(time.Time{}, false)
			}
			next := func() Step { return then(time.Time{}, false) }
			if m, erased := l.ErasedAt(seq); erased {
				// After a rollback the mark is of an event that ingest lost.
				next = func() Step {
					return Look{func(b Bounds, _ time.Time) Step {
						return then(m.Time, b.Created.Equal(l.Current().Created) && seq <= b.Last)
					}}
				}
			}
			if improved {
				return next() // what is not stored is not remembered
			}
			return Remember{l, next}
		}}
	}}
}

// TooManyErasedError refuses an erasure: the ledger has no room for the marks.
type TooManyErasedError struct{ Have, Most int }

// Error says how much room there is.
func (e *TooManyErasedError) Error() string {
	return fmt.Sprintf("ingest still holds the places of %d erased events, and the ledger has room for %d", e.Have, e.Most)
}

// Erase records that events are erased. From then on no reader returns them, so they may
// be deleted from ingest. The marks were read from the present stream. At most the given
// number of marks has room. It fails with ErrChanged if ingest changed since the marks
// were read. note is also written, see Note; nil is none.
func Erase(marks []Mark, most int, note *Erasure, then func(Ledger) Step) Step {
	return update(func(l *Ledger, now time.Time) (bool, error) {
		for _, m := range marks {
			if l.PositionOf(m.Seq) != m.Position {
				return false, ErrChanged
			}
		}
		next := l.Erased.with(marks)
		if len(next) > most && len(next) > len(l.Erased) {
			return false, &TooManyErasedError{Have: len(next), Most: most}
		}
		begins := note != nil && l.note(*note, now)
		if begins || !next.same(l.Erased) {
			// A request counts even if ingest has no event of the key: lanes may have rows of
			// a snapshot in hand.
			l.Erased = next
			l.Erasures++
		}
		return true, nil
	}, then)
}

// recallErased adds the marks that this hub knows to a ledger that was restored by a hub
// that knew less, or that lost its last writes, and reports whether it added any. A mark
// below the first event that ingest may still hold is of no use; from there on the document
// loses no mark but by the end of an epoch. The count rises above what this hub knows,
// because the document may have marks that this hub has not heard of.
func (l *Ledger) recallErased(known *Ledger) bool {
	if known == nil || len(known.Epochs) == 0 || len(l.Epochs) == 0 || !known.Current().Created.Equal(l.Current().Created) {
		return false
	}
	var lost []Mark
	for _, m := range known.Erased {
		if _, has := l.Erased.at(m.Seq); !has && m.Seq >= l.Floor && l.PositionOf(m.Seq) == m.Position {
			lost = append(lost, m)
		}
	}
	if len(lost) == 0 && known.Erasures <= l.Erasures {
		return false
	}
	l.Erased, l.Erasures = l.Erased.with(lost), max(l.Erasures, known.Erasures)+1
	return true
}
