package record

import (
	"cmp"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// A backfill is a further snapshot of an interest that is in force: it copies the
// owner's rows again, or those that a filter passes. It does not change the interest.
// At most one fill of rows is under way for an interest, so a lane has at most as
// many as it has interests.

// Backfill describes a backfill.
type Backfill struct {
	// ID is new and names it.
	ID     string
	Filter string
	// Keys are those whose rows are asked for; nil is all. They are sorted.
	Keys []string
	// At is the last event in ingest when the backfill was requested, Began the time
	// of the request.
	At    event.Position
	Began time.Time
}

// Backfill returns the state with a fill that fetches the rows of an interest's owner
// again. A fill of rows that is under way for the interest ends; callers check with
// Rows whether it may.
func (s State) Backfill(in Interest, b Backfill) State {
	s = s.Clone()
	s.Fills = append(s.Fills, Fill{IDs: []string{in.ID}, Snapshot: &Snapshot{
		ID: b.ID, Filter: b.Filter, Keys: b.Keys, Asked: b.At, Rev: in.Rev, Began: b.Began,
	}})
	return s.without(func(f Fill) bool { return f.Snapshot != nil && f.IDs[0] == in.ID && f.Snapshot.ID != b.ID })
}

// Rows returns the fill of rows that is under way for an interest; nil when there is
// none.
func (s State) Rows(id string) *Snapshot {
	i := slices.IndexFunc(s.Fills, func(f Fill) bool { return f.Snapshot != nil && f.IDs[0] == id })
	if i < 0 {
		return nil
	}
	return s.Fills[i].Snapshot
}

// Outdated reports whether a fill of rows began under another definition of its
// interest, so that its first rows have other fields, or passed another filter,
// than its last.
func (s *Snapshot) Outdated(in Interest) bool { return cmp.Or(s.Rev, 1) != in.Rev }

// without is the state without some of its fills.
func (s State) without(unwanted func(Fill) bool) State {
	active := s.Phase == Filling && !unwanted(s.Fills[0])
	s.Fills = slices.DeleteFunc(s.Fills, unwanted)
	if !active {
		s.Phase = Live
	}
	return s
}

// Filled is a completed fill of rows. It lets a waiting caller distinguish completion
// from abandonment.
type Filled struct {
	ID     string    `json:"id"`
	Entity string    `json:"entity"`
	Rows   uint64    `json:"rows"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended"`
}

// maxFilled bounds the remembered fills of rows that have ended.
const maxFilled = 4

// RowsDone is the state after its first fill has all rows.
func (s State) RowsDone(at time.Time) State {
	f := s.Fills[0]
	done := Filled{ID: f.RowsID(), Rows: f.Snapshot.Row, Began: f.Snapshot.Began, Ended: at}
	for _, in := range s.Interests {
		if in.ID == f.IDs[0] {
			done.Entity = in.Entity
		}
	}
	s = s.FillDone()
	s.Filled = append(slices.Clone(s.Filled), done)
	s.Filled = s.Filled[max(len(s.Filled)-maxFilled, 0):]
	return s
}

// RowsID names a fill of rows: a backfill's own id, or that of the interest which
// began with the snapshot. A fill from ingest has none.
func (f Fill) RowsID() string {
	if f.Snapshot == nil {
		return ""
	}
	return cmp.Or(f.Snapshot.ID, f.IDs[0])
}
