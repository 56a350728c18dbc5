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

// report is what the lane has to publish.
type report struct {
	counts Counts
	notes  []Note
	dirty  bool // the status has changed since it was last taken
}

func (r *report) note(n Note) { r.notes = append(r.notes, n) }

// Counts returns the totals.
func (l *Lane) Counts() Counts { return l.report.counts }

// Status is a lane's report about itself; immutable.
type Status struct {
	// State is the state with its present cursors.
	State record.State
	// Stalled is why the lane makes no progress; empty when it does. It stays until
	// the lane has made progress for some seconds, or reached the end of ingest.
	Stalled string
	// Cause is the error that Stalled describes; nil when the lane makes progress.
	Cause error
	// Since is when the lane last made good progress before the stall; zero without a
	// stall.
	Since time.Time
	// Last is the stream's last sequence.
	Last uint64
	// Waiting is, by the ids of interests, why their snapshots wait.
	Waiting map[string]string
	// Rows is, by the ids of the fills' rows, about how many rows their owners have.
	Rows map[string]uint64
}

// NewStatus returns the status if it has changed since the last call, else nil.
func (l *Lane) NewStatus() *Status {
	if !l.report.dirty {
		return nil
	}
	l.report.dirty = false
	tip, stall := l.view.tip, &l.trouble.stall
	return &Status{
		State: tip.State, Stalled: stall.Reason(), Cause: stall.Cause(), Since: stall.Since(), Last: tip.Last, Waiting: l.rows.troubles(),
		Rows: l.rows.about(tip.State),
	}
}

// Stalling reports whether the lane makes no progress, so that World.Clock matters.
func (l *Lane) Stalling() bool { return l.trouble.stall.Open() }

// Note is a message for operators.
type Note struct {
	Kind NoteKind
	// Reason of a stall or a detachment, in words.
	Reason string
	// Count of foreign messages, of failures, or of lost messages.
	Count int
	// Since is when a stall began, Lasted how long a stall or a snapshot took.
	Since  time.Time
	Lasted time.Duration
	// Mine says that this process knows the lost state.
	Mine bool
	// Fill is the completed fill.
	Fill record.Fill
}

// NoteKind is the subject of a note.
type NoteKind int

// The kinds of notes.
const (
	StallBegan NoteKind = iota
	StallChanged
	StallOver
	StallMoot // there is nothing left to copy
	ForeignMessages
	StateGone
	LaneDetached
	SnapshotComplete
	LaneWentBack // the stream ends before its last message that this writer knew
)

// Notes returns the notes since the last call.
func (l *Lane) Notes() []Note {
	notes := l.report.notes
	l.report.notes = nil
	return notes
}
