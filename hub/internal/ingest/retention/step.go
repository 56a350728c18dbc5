package retention

import (
	"time"

	"github.com/replhub/replhub/subjects"
)

// A Step is the next step of an operation: one request to a server, or one write,
// with the function that takes its answer; Done is the end. A failed request ends the
// operation. This is safe: nothing was decided since the last write, and the next
// reader finds a write of unknown outcome.
type Step interface{ step() }

// Look asks ingest's leader what the stream holds, and what time it is there.
type Look struct {
	Then func(b Bounds, now time.Time) Step
}

// ReadTime asks ingest's leader when the event at a sequence was stored; found is
// false where ingest does not hold it.
type ReadTime struct {
	Seq  uint64
	Then func(at time.Time, found bool) Step
}

// ReadNext asks ingest's leader for the first event that it holds at a sequence or behind
// it.
type ReadNext struct {
	Seq  uint64
	Then func(seq uint64, at time.Time, found bool) Step
}

// ReadLedger asks the ledger's leader for the document.
type ReadLedger struct {
	Then func(Read) Step
}

// Read is the answer to ReadLedger.
type Read struct {
	// Ledger and Revision are the document; zero where there is none.
	Ledger   Ledger
	Revision uint64
	// Known is what this hub last read or wrote, by Read.Beside; nil before the first.
	Known *Ledger
	// Now is the time by the clock of ingest's server.
	Now time.Time
	// Random is any number; it steps the count of pinnings of a lost ledger.
	Random uint64
}

// WriteLedger stores the document if its revision is still the given one. stored is
// false where another hub was first.
type WriteLedger struct {
	Ledger   Ledger
	Revision uint64
	// Begins is the epoch that the document begins; nil where it begins none.
	Begins *Range
	Then   func(stored bool) Step
}

// Remember makes the hub remember a document that was read and not changed, unless it
// knows a newer one (Ledger.Replaces).
type Remember struct {
	Ledger Ledger
	Then   func() Step
}

// LookAtLanes asks every lane where it stands.
type LookAtLanes struct {
	Then func(Need) Step
}

// Fence writes the state records of lanes again, without a change: of the given services
// or of all. Any append that was on its way into such a lane is refused, or was stored
// before. unfenced are the lanes whose record could not be written, with the reason. A
// lane that does not exist needs no fence.
type Fence struct {
	Services []subjects.Name
	All      bool
	Then     func(unfenced map[subjects.Name]error) Step
}

// Purge removes the events below a sequence.
type Purge struct {
	Below uint64
	Then  func() Step
}

// Done ends an operation.
type Done struct{ Err error }

func (Look) step()        {}
func (ReadTime) step()    {}
func (ReadNext) step()    {}
func (ReadLedger) step()  {}
func (WriteLedger) step() {}
func (Remember) step()    {}
func (LookAtLanes) step() {}
func (Fence) step()       {}
func (Purge) step()       {}
func (Done) step()        {}

// update changes the ledger by compare-and-set: change is called on each document
// read until one is stored. change returns false to leave the document as it is.
func update(change func(l *Ledger, now time.Time) (bool, error), then func(Ledger) Step) Step {
	return updateOnce(change, func(write Step) Step { return write }, then)
}

// updateOnce is update with a check between reading and writing: confirm returns
// write, or another step if the facts on which change decided are no longer true.
func updateOnce(change func(l *Ledger, now time.Time) (bool, error), confirm func(write Step) Step, then func(Ledger) Step) Step {
	return ReadLedger{func(r Read) Step {
		l, improved := r.latest()
		epochs := len(l.Epochs)
		write, err := change(&l, r.Now)
		if err != nil {
			return Done{err}
		}
		if !write && !improved && (r.Revision > 0 || len(l.Epochs) == 0) {
			return Remember{l, func() Step { return then(l) }}
		}
		w := WriteLedger{Ledger: l, Revision: r.Revision}
		if epochs > 0 && len(l.Epochs) > epochs {
			begins := l.Current()
			w.Begins = &begins
		}
		w.Then = func(stored bool) Step {
			if !stored {
				return updateOnce(change, confirm, then) // another hub was first: decide on its document
			}
			return then(l)
		}
		return confirm(w)
	}}
}
