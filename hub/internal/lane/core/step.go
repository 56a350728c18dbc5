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

// ReadTip asks for the lane's newest state record and what lies behind it, from the
// stream's leader (record.Tip). Readers of ingest may be closed, rows on their way
// stay.
type ReadTip struct{}

// Recall asks for what is known of a lane elsewhere, since its state record is gone:
// its queue, limit and interests. Where the lane stood is lost with the record.
type Recall struct{}

// CheckCursors asks whether the cursors of a state still stand in ingest: its
// position, and where its fills of events are.
type CheckCursors struct{ State record.State }

// ReadEvents asks for the events that follow a mark. The driver may wait a little
// for the first one.
type ReadEvents struct {
	// Fill is set for the fill under way, not set for live copying.
	Fill bool
	From ingest.Mark
	// To is the live position, up to which a fill copies. A reader that is opened for
	// the fill has to be of its ingest as well: behind From alone, events that took the
	// place of lost ones look like the fill's. It is zero for live copying.
	To ingest.Mark
}

// Admit asks for leave to copy events, since what all lanes of a hub have in memory
// and on their way is bounded. The leave is over when Copying is false.
type Admit struct {
	Events int
	// Bytes is what building their copies may take.
	Bytes int64
	// Patient has the driver wait for the leave; else it says at once.
	Patient bool
	// Again says that the events are read again once they are admitted: the driver
	// may put aside what it has read.
	Again bool
}

// StoreLetter asks for a dead letter to be made durable. A letter stored twice is
// there once.
type StoreLetter struct {
	Event    *event.Event
	Decision match.Decision
}

// How an Append is made.
type How int

// The ways of an append. Whatever is sent from Open on is one append until Close or
// Settle, of which the server stores a prefix.
const (
	// Whole appends the messages and waits until they are stored.
	Whole How = iota
	// Open begins an append that stays open and sends the messages.
	Open
	// Add sends the messages into the open append.
	Add
	// Close sends the last messages of the open append and waits until all of it is
	// stored.
	Close
)

// Append appends copies behind the lane's last sequence. Each states the sequence
// that it follows.
type Append struct {
	How How
	// Last is the last sequence of the lane as this writer knows it.
	Last uint64
	Msgs []Message
	// Patience is how long to wait for the server's answer.
	Patience time.Duration
}

// Settle ends the open append and waits until all of it is stored.
type Settle struct{ Patience time.Duration }

// Why a state record is written.
type Why string

// The reasons of state records.
const (
	// WhyChange is a change of the lane that somebody asked for.
	WhyChange Why = "change"
	// WhyFillDone ends a fill, WhyPhase changes between live copying and a fill.
	WhyFillDone Why = "fill done"
	WhyPhase    Why = "fill switch"
	// WhyPosition writes down where the lane stands.
	WhyPosition Why = "position"
	// WhyRoom renews the record in front of which history is purged.
	WhyRoom Why = "room"
	// WhyLost replaces a record that is gone, WhyDetached cuts the lane off.
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

// FindHistory asks which messages of the lane every worker has dealt with, however
// young they are.
type FindHistory struct{}

// Purge removes the messages below a sequence.
type Purge struct{ Below uint64 }

// Prove asks why copies that workers have dealt with are kept, and to let go of those
// of which it is proven that no dead letter is missing.
type Prove struct{}

// Edit asks for the change that has waited longest to be decided on the tip.
type Edit struct{ Tip record.Tip }

// Diagnose asks why an append or a read failed: a full disk looks like a refused or
// lost append.
type Diagnose struct {
	Err error
	// Refused is how often in a row appends were refused at the lane's last sequence,
	// 0 when that is not the matter.
	Refused int
	Last    uint64
}

// Wait waits until D has passed, the driver is nudged, or what is waited for comes.
type Wait struct {
	// D is how long at most; 0 is for ever.
	D time.Duration
	// Jitter is how much longer at random.
	Jitter time.Duration
	// Events ends the wait when there are more events in ingest.
	Events bool
	// Stand says that the lane stands at the end of ingest: Follow may be called.
	Stand bool
	// Release has the driver hold no reader of ingest meanwhile.
	Release bool
}

// FetchRows begins to fetch the rows that follow a place of a snapshot. Number names
// the fetch. It goes on, however often the owner does not answer, until DropRows.
type FetchRows struct {
	Number   int
	Interest record.Interest
	From     record.Snapshot
}

// DropRows ends a fetch and lets go of its rows.
type DropRows struct{ Number int }

// Answer tells whoever asked for the change under way what came of it.
type Answer struct {
	State record.State
	Err   error
	// Recorded says that the change was written.
	Recorded bool
}

// RefuseChanges answers everybody who waits for a change with an error.
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
