package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
)

// ErrNewer means that a newer replhub wrote the record, in a form that this one does
// not know.
var ErrNewer = errors.New("a newer replhub wrote it")

// The forms of state records written here. A record of a higher form is not
// touched: it may carry a restriction that this hub cannot see.
const (
	stateForm = 1
	// snapshotForm is that of a record with a snapshot under way, which a hub of
	// the first form would take for a fill from ingest.
	snapshotForm = 2
	// droppedForm is that of the last record of a lane.
	droppedForm = 3
	// backfillForm is that of a record with a backfill under way, which a hub of a
	// form before would take for the interest's first snapshot: it would copy rows
	// that the backfill's filter leaves out, under ids that were given before.
	backfillForm = 4
	// policyForm is that of a record with an interest under a policy, which a hub of a
	// form before would ignore: it would copy what the policy hides.
	policyForm = 5
	// keysForm is that of a record with a backfill of some keys under way. A hub of a form
	// before would copy other rows, and no deletes.
	keysForm = 6
)

// State is a lane's state record: which interests are in force, where the lane stands
// in ingest, and which fills are under way. It lies in the lane's own stream, between
// the copies, so that a record and the copies behind it always agree. States are
// values; Change functions return a new one.
type State struct {
	Form int `json:"v"`
	// Interests in force, by their ids.
	Interests []Interest `json:"interests"`
	// Ended are the ids of interests that were ended, newest last, so that an
	// old copy of the registry does not bring them back.
	Ended []string       `json:"ended,omitempty"`
	Queue contract.Queue `json:"queue"`
	// QueueFrom is the lane's own sequence from which the queue's consumers
	// read: copies before it were acknowledged under another queue. 0 is all.
	QueueFrom uint64 `json:"queue_from,omitempty"`
	MaxBytes  int64  `json:"max_bytes"`
	// Rewound is the last rewind of the workers since QueueFrom was set; nil when
	// there was none.
	Rewound *Rewound `json:"rewound,omitempty"`
	// Resumed is where the last consumer that the hub replaced goes on; nil when none
	// was.
	Resumed *Resumed `json:"resumed,omitempty"`
	// Pos is the live position: every event up to it is processed for the interests
	// that are not filling.
	Pos ingest.Mark `json:"pos"`
	// Fills are under way or waiting, in this order.
	Fills []Fill `json:"fills,omitempty"`
	// Filled are the last completed fills of rows, newest last.
	Filled []Filled `json:"filled,omitempty"`
	// Phase says which position the copies behind this record move.
	Phase Phase `json:"phase"`
	// Detached says why the lane was cut off; nil when it is not.
	Detached *Detached `json:"detached,omitempty"`
	// Dropped is set in the last record of a lane: its stream is about to be deleted,
	// with any message behind this record.
	Dropped bool `json:"dropped,omitempty"`
	// Redriven are the dead letters whose events were put back into the lane
	// and that may not be removed yet: they are not put back again.
	Redriven []LetterID `json:"redriven,omitempty"`
	// Gaps are damaged places in the lane that need nothing more.
	Gaps []Gap `json:"gaps,omitempty"`
	// Hub and Written tell who wrote the record, for people.
	Hub     string    `json:"hub"`
	Written time.Time `json:"written"`
}

// Phase is what copies behind a state record belong to.
type Phase string

// The phases of a lane.
const (
	Live    Phase = "live"
	Filling Phase = "fill"
)

// Interest is one interest in force.
type Interest struct {
	ID     string `json:"id"`
	Entity string `json:"entity"`

	contract.Definition

	// Since is the position from which it is due.
	Since event.Position `json:"since"`
	// Rev counts changes of the definition.
	Rev int `json:"rev"`
	// Partial says that it asked for all events when older events were gone.
	Partial bool `json:"partial,omitempty"`
	// Policy is what the owner's policy allows; nil without a policy.
	Policy *Policy `json:"policy,omitempty"`
}

// Fill copies the older data of interests, from before they came into force: events
// of ingest, or the rows of a snapshot.
type Fill struct {
	IDs []string `json:"ids"`
	// From is where the fill began, At the last processed event. The fill ends at the
	// live position, and until then its interests are not live.
	From uint64      `json:"from"`
	At   ingest.Mark `json:"at"`
	// Snapshot is set for rows. From and At are zero then, and the one interest
	// is live already.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
}

// Detached says why and when a lane was cut off.
type Detached struct {
	Reason string `json:"reason"`
	// Cause is the class that Reason belongs to; empty for one without a class.
	Cause contract.Trouble `json:"cause,omitempty"`
	Time  time.Time        `json:"time"`
}

// maxEnded bounds the remembered ended interests. An old registry snapshot that holds
// one of more than a thousand endings ago would bring it back.
const maxEnded = 1000

// First is the state of a lane that was just created: no interest yet, at a
// mark in ingest.
func First(at ingest.Mark, queue contract.Queue, maxBytes int64) State {
	return State{Pos: at, Queue: queue, MaxBytes: maxBytes, Phase: Live}
}

// Filling reports whether an interest is in a fill.
func (s State) Filling(id string) bool {
	return slices.ContainsFunc(s.Fills, func(f Fill) bool { return slices.Contains(f.IDs, id) })
}

// Live reports whether live events are copied for an interest. They are not while it
// is in a fill from ingest.
func (s State) Live(id string) bool {
	return !slices.ContainsFunc(s.Fills, func(f Fill) bool { return f.Snapshot == nil && slices.Contains(f.IDs, id) })
}

// Find returns the interest in an entity, nil when there is none.
func (s State) Find(entity string) *Interest {
	for i := range s.Interests {
		if s.Interests[i].Entity == entity {
			return &s.Interests[i]
		}
	}
	return nil
}

// HasEnded reports whether the state remembers an ended interest of an id.
func (s State) HasEnded(id string) bool { return slices.Contains(s.Ended, id) }

// Advanced returns the state with its phase's cursor moved.
func (s State) Advanced(to ingest.Mark) State {
	if s.Phase == Filling {
		s.Fills = slices.Clone(s.Fills)
		s.Fills[0].At = to
		return s
	}
	s.Pos = to
	return s
}

// Lowest is the earliest event position from which the lane still has to read; ok is
// false when the lane needs no event of ingest.
func (s State) Lowest() (pos event.Position, ok bool) {
	if s.Detached != nil || len(s.Interests) == 0 {
		return event.Position{}, false
	}
	pos = s.Pos.Position
	for _, f := range s.Fills {
		if f.Snapshot == nil && f.At.Before(pos) {
			pos = f.At.Position
		}
	}
	return pos, true
}

// Cursors are the state's places in ingest: its position, and where each fill from ingest
// has come to. See WithCursors.
func (s State) Cursors() []ingest.Mark {
	cursors := []ingest.Mark{s.Pos}
	for _, f := range s.Fills {
		if f.Snapshot == nil {
			cursors = append(cursors, f.At)
		}
	}
	return cursors
}

// WithCursors returns the state with other Cursors, in their order.
func (s State) WithCursors(cursors []ingest.Mark) State {
	s = s.Clone()
	s.Pos, cursors = cursors[0], cursors[1:]
	for i := range s.Fills {
		if s.Fills[i].Snapshot == nil {
			s.Fills[i].At, cursors = cursors[0], cursors[1:]
		}
	}
	return s
}

// Standing says from which mark on a trim has to keep events for the lane.
func (s State) Standing() retention.Standing {
	lowest, needs := s.Lowest()
	at := s.Pos
	for _, f := range s.Fills {
		if f.Snapshot == nil && f.At.Position == lowest {
			at = f.At
		}
	}
	return retention.Standing{Needs: needs, At: at}
}

// Epoch is the newest epoch that the state speaks of.
func (s State) Epoch() uint64 {
	epoch := s.Pos.Epoch
	for _, in := range s.Interests {
		epoch = max(epoch, in.Since.Epoch)
	}
	return epoch
}

// Clone returns a copy whose slices may be changed.
func (s State) Clone() State {
	s.Interests = slices.Clone(s.Interests)
	s.Ended = slices.Clone(s.Ended)
	s.Redriven = slices.Clone(s.Redriven)
	s.Fills = slices.Clone(s.Fills)
	for i := range s.Fills {
		s.Fills[i].IDs = slices.Clone(s.Fills[i].IDs)
	}
	return s
}

// Add puts a new interest in force from its since on, with the mark before it. If the
// lane has already passed that mark, a fill copies the events in between.
//
// The live position of a lane that ever had copies never goes back: the event at that
// position shows whether ingest was rolled back behind it. Without that proof, later
// events could get positions at which the service has applied other events.
func (s State) Add(in Interest, before ingest.Mark) State {
	s = s.Clone()
	idle, back := len(s.Interests) == 0, before.Before(s.Pos.Position)
	s.Interests = append(s.Interests, in)
	switch {
	case back && (len(s.Ended) > 0 || !s.noneReached()):
		s.Fills = append(s.Fills, Fill{IDs: []string{in.ID}, From: before.Seq + 1, At: before})
	case back || idle:
		// No copy depends on the live position, so it moves to the interest's start.
		s.Pos, s.Phase = before, Live
	}
	return s
}

// noneReached reports whether every interest but the last is due only from beyond the
// live position, so that moving the position back repeats no event.
func (s State) noneReached() bool {
	for _, other := range s.Interests[:len(s.Interests)-1] {
		if !s.Pos.Before(other.Since) {
			return false
		}
	}
	return len(s.Fills) == 0
}

// End takes an interest out of force and remembers its id.
func (s State) End(entity string) State {
	s = s.Clone()
	in := s.Find(entity)
	if in == nil {
		return s
	}
	id := in.ID
	s.Interests = slices.DeleteFunc(s.Interests, func(i Interest) bool { return i.ID == id })
	s.Ended = append(s.Ended, id)
	if n := len(s.Ended); n > maxEnded {
		s.Ended = s.Ended[n-maxEnded:]
	}
	for i := range s.Fills {
		s.Fills[i].IDs = slices.DeleteFunc(s.Fills[i].IDs, func(f string) bool { return f == id })
	}
	return s.without(func(f Fill) bool { return len(f.IDs) == 0 })
}

// Detach returns the state of a lane that is cut off: no events are copied into it,
// and it keeps no events in ingest.
func (s State) Detach(cause contract.Trouble, reason string, at time.Time) State {
	s = s.Clone()
	s.Detached = &Detached{Cause: cause, Reason: Clip(reason), Time: at}
	s.Fills, s.Phase = nil, Live
	return s
}

// FillDone returns the state without its first fill, which has reached the live
// position: from here on the fill's interests are live.
func (s State) FillDone() State {
	s = s.Clone()
	s.Fills = s.Fills[1:]
	s.Phase = Live
	return s
}

// In returns the state in another phase.
func (s State) In(p Phase) State {
	s.Phase = p
	return s
}

// InFill is the state whose copies belong to its i-th fill, which becomes the
// first.
func (s State) InFill(i int) State {
	s = s.Clone()
	f := s.Fills[i]
	s.Fills = slices.Insert(slices.Delete(s.Fills, i, i+1), 0, f)
	s.Phase = Filling
	return s
}

// Encode returns the record as JSON, in the lowest form that can express the state.
func Encode(s State) ([]byte, error) {
	s.Form = stateForm
	if slices.ContainsFunc(s.Fills, func(f Fill) bool { return f.Snapshot != nil }) {
		s.Form = snapshotForm
	}
	if slices.ContainsFunc(s.Fills, func(f Fill) bool { return f.Snapshot != nil && f.Snapshot.ID != "" }) {
		s.Form = backfillForm
	}
	if s.hasPolicy() {
		s.Form = policyForm
	}
	if slices.ContainsFunc(s.Fills, func(f Fill) bool { return f.Snapshot != nil && len(f.Snapshot.Keys) > 0 }) {
		s.Form = keysForm
	}
	if s.Dropped {
		s.Form = droppedForm
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a filter's "&&" and "<" take six times their room
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("encode the state record: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode reads a record, and refuses one of a newer form with ErrNewer.
func Decode(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("decode the state record: %w", err)
	}
	if s.Form > keysForm {
		return State{}, fmt.Errorf("%w: state record of form %d", ErrNewer, s.Form)
	}
	if s.Phase == Filling && len(s.Fills) == 0 {
		return State{}, fmt.Errorf("state record is in a fill but names none")
	}
	return s, nil
}
