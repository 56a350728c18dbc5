package redrive

import "github.com/replhub/replhub/hub/internal/lane/record"

// A Step is the next step of a redrive: one request, or one write, with the function that
// takes its answer; Done is the end.
type Step interface{ step() }

// ReadState reads the state that is in force in the lane.
type ReadState struct {
	Then func(record.State) Step
}

// ReadLetter reads the service's first letter at or behind a sequence of the stream of
// dead letters, or with Exact the letter at the sequence; nil if there is none.
type ReadLetter struct {
	Seq   uint64
	Exact bool
	Then  func(*Letter) Step
}

// Letter is a dead letter. Of is the driver's.
type Letter struct {
	record.LetterID

	Of any
}

// MakeCopy makes the copy as which a letter's event comes back under a state.
type MakeCopy struct {
	State  record.State
	Letter Letter
	Then   func(Copy) Step
}

// Copy is the copy of a letter's event. Of is the driver's.
type Copy struct {
	Of    any
	Bytes int
	// Stays is why the event cannot come back; empty where it can.
	Stays string
}

// Append appends copies to the lane, with a state record behind them that names their
// letters. Choose returns the steps that choose the copies, given the state at the end of
// the lane, of which the last is Chosen. It is called again if another writer was faster.
type Append struct {
	Choose func(record.State) Step
	Then   func() Step
}

// Chosen ends the choice of an Append: the copies, and the letters of which they are.
// Without any, the lane stays as it is.
type Chosen struct {
	IDs    []record.LetterID
	Copies []any
	// Err is why nothing can be put back now.
	Err error
}

// Remove removes a letter. It succeeds if the letter is already gone.
type Remove struct {
	Letter Letter
	Then   func() Step
}

// Forget takes removed letters out of the lane's state.
type Forget struct {
	IDs  []record.LetterID
	Then func() Step
}

// More says that a portion is done: the driver continues with Then, or ends here.
type More struct{ Then func() Step }

// Done ends a redrive.
type Done struct{}

func (ReadState) step()  {}
func (ReadLetter) step() {}
func (MakeCopy) step()   {}
func (Append) step()     {}
func (Chosen) step()     {}
func (Remove) step()     {}
func (Forget) step()     {}
func (More) step()       {}
func (Done) step()       {}
