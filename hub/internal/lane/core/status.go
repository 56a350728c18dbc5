package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

// Counts are a lane's totals since it was made.
type Counts struct {
	// Copies that are stored, each counted once, and their bytes.
	Copies, Bytes uint64
	// Appends by kind, and state records.
	Single, Atomic, Fast, Records uint64
	// Dead letters that this hub stored, foreign messages, appends that another
	// writer forestalled, and other appends that were tried again.
	Dead, Foreign, Fenced, Retries uint64
}

// Counts are the totals.
func (l *Lane) Counts() Counts { return l.counts }

// Status is what a lane says of itself; immutable.
type Status struct {
	// State is the state with its cursors as they stand now.
	State record.State
	// Stalled is why the lane does not get on; empty when it does. It stays until
	// the lane has got on for some seconds, or to the end of ingest.
	Stalled string
	// Since is when the lane last got on well before that; zero when it does now.
	Since time.Time
	// Last is the stream's last sequence.
	Last uint64
	// Waiting is, by the ids of interests, why their snapshots wait.
	Waiting map[string]string
}

// NewStatus is the status if it changed since the last call, else nil.
func (l *Lane) NewStatus() *Status {
	if !l.dirty {
		return nil
	}
	l.dirty = false
	return &Status{
		State: l.tip.State, Stalled: l.stall.Reason(), Since: l.stall.Since(), Last: l.tip.Last, Waiting: l.rows.troubles(),
	}
}

// Stalling reports whether the lane does not get on, so that World.Clock matters.
func (l *Lane) Stalling() bool { return l.stall.Open() }

// Note is something to tell people.
type Note struct {
	Kind NoteKind
	// Reason of a stall or a detachment, in words.
	Reason string
	// Count of foreign messages, or of failures.
	Count int
	// Since is when a stall began, Lasted how long a stall or a snapshot took.
	Since  time.Time
	Lasted time.Duration
	// Mine says that what is gone is known here.
	Mine bool
	// Fill is the one that is complete.
	Fill record.Fill
}

// NoteKind is what a note tells.
type NoteKind int

// The kinds of notes.
const (
	StallBegan NoteKind = iota
	StallChanged
	StallOver
	StallMoot // nothing is to be copied any more
	ForeignMessages
	StateGone
	LaneDetached
	SnapshotComplete
)

func (l *Lane) note(n Note) { l.notes = append(l.notes, n) }

// Notes takes what is to be told since the last call.
func (l *Lane) Notes() []Note {
	notes := l.notes
	l.notes = nil
	return notes
}
