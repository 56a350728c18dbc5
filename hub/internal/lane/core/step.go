package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
)

// Step is one thing for the driver to do: one of the types below.
type Step interface{ step() }

// ReadTip asks the stream's leader for the lane's newest state record and the
// messages behind it (record.Tip). The driver may close readers of ingest; fetches of
// rows go on.
type ReadTip struct{}

// Recall asks for the lane's queue, limit and interests as known from elsewhere,
// since its state record is gone. The lane's position is lost with the record.
type Recall struct{}

// CheckCursors asks whether the cursors of a state are still valid in ingest: its
// position, and those of its fills of events.
type CheckCursors struct{ State record.State }

// ReadEvents asks for the events that follow a mark. The driver may wait a little
// for the first one.
type ReadEvents struct {
	// Fill is true for the fill under way, false for live copying.
	Fill bool
	From ingest.Mark
	// To is the live position, up to which a fill copies. A reader that is opened for
	// the fill has to be of its ingest as well: behind From alone, events that took the
	// place of lost ones look like the fill's. It is zero for live copying.
	To ingest.Mark
}

// Admit asks for leave to copy events, because the events that all lanes of a hub
// have in memory and on their way are bounded. The leave ends when Copying is false.
type Admit struct {
	Events int
	// Bytes is the memory that building the copies may take.
	Bytes int64
	// Patient makes the driver wait for the leave; otherwise it answers at once.
	Patient bool
	// Again says that the events are read again once they are admitted, so the driver
	// may put its events aside.
	Again bool
}

// StoreLetter asks for a dead letter to be made durable. Storing is idempotent.
type StoreLetter struct {
	Event    *event.Event
	Decision match.Decision
}

// How an Append is made.
type How int

// The ways of an append. All messages from Open to Close or Settle are one append, of
// which the server stores a prefix.
const (
	// Whole appends the messages and waits until they are stored.
	Whole How = iota
	// Open begins an append that stays open and sends the messages.
	Open
	// Add sends the messages into the open append.
	Add
	// Close sends the last messages of the open append and waits until the whole
	// append is stored.
	Close
)

// Append appends copies behind the lane's last sequence. Each copy states the
// sequence that it follows.
type Append struct {
	How How
	// Last is the last sequence of the lane as this writer knows it.
	Last uint64
	Msgs []Message
	// Patience is how long to wait for the server's answer.
	Patience time.Duration
}

// Settle ends the open append and waits until the whole append is stored.
type Settle struct{ Patience time.Duration }

// Why a state record is written.
type Why string

// The reasons of state records.
const (
	// WhyChange is a requested change of the lane.
	WhyChange Why = "change"
	// WhyFillDone ends a fill, WhyPhase changes between live copying and a fill.
	WhyFillDone Why = "fill done"
	WhyPhase    Why = "fill switch"
	// WhyPosition records the lane's position.
	WhyPosition Why = "position"
	// WhyRoom renews the record in front of which history is purged.
	WhyRoom Why = "room"
	// WhyLost replaces a lost record, WhyDetached cuts the lane off.
	WhyLost     Why = "lost"
	WhyDetached Why = "detached"
)

// Record appends a state record, and the redriven copies of the change in front of
// it as one, behind the lane's last sequence.
type Record struct {
	State record.State
	Last  uint64
	// Copies is how many redriven copies go in front of the record.
	Copies   int
	Why      Why
	Patience time.Duration
}

// Measure asks how many bytes the lane's stream holds.
type Measure struct{}

// FindHistory asks which messages of the lane every worker is done with, however
// young they are.
type FindHistory struct{}

// Purge removes the messages below a sequence.
type Purge struct{ Below uint64 }

// Prove asks why copies that workers are done with are kept, and to release those
// that provably lack no dead letter.
type Prove struct{}

// Edit asks for the change that has waited longest to be decided on the tip.
type Edit struct{ Tip record.Tip }

// Diagnose asks why an append or a read failed, because a full disk looks like a
// refused or lost append.
type Diagnose struct {
	Err error
	// Refused is how often in a row appends were refused at the lane's last sequence;
	// 0 for other failures.
	Refused int
	Last    uint64
}

// Wait waits until D has passed, the driver is nudged, or the awaited thing happens.
type Wait struct {
	// D is the longest wait; 0 means no limit.
	D time.Duration
	// Jitter is the greatest random addition to D.
	Jitter time.Duration
	// Events ends the wait when there are more events in ingest.
	Events bool
	// Stand says that the lane stands at the end of ingest: Follow may be called.
	Stand bool
	// Release says that the driver must hold no reader of ingest meanwhile.
	Release bool
}

// FetchRows begins to fetch the rows that follow a place of a snapshot. Number names
// the fetch. It goes on, however often the owner does not answer, until DropRows.
type FetchRows struct {
	Number   int
	Interest record.Interest
	From     record.Snapshot
}

// DropRows ends a fetch and releases its rows.
type DropRows struct{ Number int }

// Answer is the outcome for the caller of the change under way.
type Answer struct {
	State record.State
	Err   error
	// Recorded says that the change was written.
	Recorded bool
}

// RefuseChanges answers every waiting change with an error.
type RefuseChanges struct{ Err error }

func (ReadTip) step()       {}
func (Recall) step()        {}
func (CheckCursors) step()  {}
func (ReadEvents) step()    {}
func (Admit) step()         {}
func (StoreLetter) step()   {}
func (Append) step()        {}
func (Settle) step()        {}
func (Record) step()        {}
func (Measure) step()       {}
func (FindHistory) step()   {}
func (Purge) step()         {}
func (Prove) step()         {}
func (Edit) step()          {}
func (Diagnose) step()      {}
func (Wait) step()          {}
func (FetchRows) step()     {}
func (DropRows) step()      {}
func (Answer) step()        {}
func (RefuseChanges) step() {}
