package record

import (
	"slices"
	"strconv"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Snapshot is how far the fill of an interest with its owner's rows has come;
// immutable. The interest is live meanwhile. A row's position is that of the last
// event before the row was requested, so a service that applies copies by position
// keeps the newer of row and event, whichever comes first.
type Snapshot struct {
	// ID is a backfill's; empty in the snapshot with which an interest begins.
	ID string `json:"id,omitempty"`
	// Filter is what rows must pass beside the interest's own filter.
	Filter string `json:"filter,omitempty"`
	// Keys are those whose rows a backfill copies, sorted; nil is all. Row then counts keys.
	Keys []string `json:"keys,omitempty"`
	// Asked is the last event in ingest when a backfill was requested, Rev the
	// interest's revision when the rows began.
	Asked event.Position `json:"asked,omitzero"`
	Rev   int            `json:"rev,omitempty"`
	// Row counts the processed rows, After is the key of the last one.
	Row   uint64 `json:"row"`
	After string `json:"after,omitempty"`
	// Origin is the service whose rows they are; empty when the owner did not name
	// itself.
	Origin string    `json:"origin,omitempty"`
	Began  time.Time `json:"began"`
}

// AddSnapshot puts a new interest in force for live events, with a fill that fetches
// its owner's rows. The interest is due from behind before, the end of ingest, or
// from behind the live position if that is further. The rows contain all earlier
// changes.
func (s State) AddSnapshot(in Interest, before ingest.Mark, at time.Time) State {
	s = s.Clone()
	switch {
	case len(s.Interests) == 0:
		s.Pos, s.Phase = before, Live
	case before.Before(s.Pos.Position):
		in.Since = event.Position{Epoch: s.Pos.Epoch, Seq: s.Pos.Seq + 1}
	}
	s.Interests = append(s.Interests, in)
	s.Fills = append(s.Fills, Fill{IDs: []string{in.ID}, Snapshot: &Snapshot{Rev: in.Rev, Began: at}})
	return s
}

// ActiveSnapshot is the snapshot whose rows the copies behind this record are; nil
// when the copies are of events.
func (s State) ActiveSnapshot() *Snapshot {
	if s.Phase != Filling {
		return nil
	}
	return s.Fills[0].Snapshot
}

// AdvancedRow is the state with its phase's snapshot moved to a row.
func (s State) AdvancedRow(row uint64, key, origin string) State {
	moved := s.Fills[0].Snapshot.Moved(row, key, origin)
	s.Fills = slices.Clone(s.Fills)
	s.Fills[0].Snapshot = &moved
	return s
}

// Moved is the snapshot behind a row.
func (s *Snapshot) Moved(row uint64, key, origin string) Snapshot {
	next := *s
	next.Row, next.After, next.Origin = row, key, origin
	return next
}

// Past is the state with its phase's cursor moved to an event or row.
func (s State) Past(e *event.Event) State {
	if e.Row > 0 {
		return s.AdvancedRow(e.Row, e.Key, e.Origin)
	}
	return s.Advanced(ingest.MarkOf(e))
}

// pastRow is the state moved to the row that a copy says it is. ok is false
// where copies under the state are no rows, or the copy is none.
func (s State) pastRow(h map[string][]string) (next State, ok bool) {
	row, err := strconv.ParseUint(get(h, contract.HeaderRow), 10, 64)
	if err != nil || row == 0 || s.ActiveSnapshot() == nil {
		return s, false
	}
	if _, ok := CopyMark(h); !ok {
		return s, false
	}
	return s.AdvancedRow(row, get(h, contract.HeaderKey), get(h, contract.HeaderOrigin)), true
}

// ForRows returns an interest in the form that judges the rows of a snapshot: each row
// counts as a create, regardless of the interest's ops, and is due at any position. A
// backfill of keys also copies deletes, unless the interest has none.
func (in Interest) ForRows(of *Snapshot) Interest {
	deletes := of != nil && len(of.Keys) > 0 && (len(in.Ops) == 0 || slices.Contains(in.Ops, subjects.Delete.String()))
	in.Ops = []string{subjects.Create.String()}
	if deletes {
		in.Ops = append(in.Ops, subjects.Delete.String())
	}
	in.Since = event.Position{}
	return in
}
