package agree

import (
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/tree"
)

// Step is one thing for the driver to do about a record: one of the types below.
type Step interface{ step() }

// Done is the end.
type Done struct{}

// LookAgain is the end for now: the driver looks at all records again soon.
type LookAgain struct{}

// ReadLane asks the lane's stream for its state.
type ReadLane struct {
	Then func(Lane) Step
}

// Lane is the answer to ReadLane.
type Lane struct {
	State record.State
	// Gone says that the server itself reported that there is no such stream.
	Gone bool
	// Err is why the lane cannot be read now. An alarm about the record stays.
	Err error
}

// Claim writes a value over the record, which must still have a version. stored is false
// if the record has changed, or if the outcome is unknown.
type Claim struct {
	Value  []byte
	Expect tree.Version
	Then   func(stored bool) Step
}

// Register registers the interest that the record requests, under an id. The driver writes
// the record of the interest afterwards. ended says that the lane refused the id, because
// an interest of that id was ended.
type Register struct {
	ID   string
	Then func(ended bool) Step
}

// Correct writes a value over the record, which must still have a version. If it does not,
// the next look judges the record again.
type Correct struct {
	Value  []byte
	Expect tree.Version
}

// Remove deletes the record, which must still have a version.
type Remove struct {
	Expect tree.Version
	// Dropped says that the interest ended with its lane.
	Dropped bool
}

// Unknown reports a record whose interest the lane does not know. The interest ended with
// a lane that no longer exists, or the lane was put back to an older copy of its stream.
// To register the interest again would leave a gap without a notice.
type Unknown struct{}

func (Done) step()      {}
func (LookAgain) step() {}
func (ReadLane) step()  {}
func (Claim) step()     {}
func (Register) step()  {}
func (Correct) step()   {}
func (Remove) step()    {}
func (Unknown) step()   {}
