package rewind

import (
	"time"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

// A Step is the next step of a rewind: one request, or one write, with the function that
// takes its answer; Planned, Refused and Done are ends.
type Step interface{ step() }

// SeeStream asks the stream's leader for its bounds.
type SeeStream struct {
	Then func(Bounds) Step
}

// Bounds are the first and the last sequence of the lane, how many messages it holds, and
// what distinguishes it from an earlier lane of the same name.
type Bounds struct {
	First, Last, Messages uint64
	Lane                  string
}

// ReadMessage reads the headers of the message at a sequence; found is false where the
// lane does not hold it.
type ReadMessage struct {
	Seq  uint64
	Then func(h map[string][]string, found bool) Step
}

// SeeConsumers asks where all of the hub's consumers of the lane stand, by name.
type SeeConsumers struct {
	Then func(map[string]Consumer) Step
}

// Consumer is where a consumer stands.
type Consumer struct {
	// Delivered is the last sequence that it delivered, Start where it was created to
	// start, 0 for the first, and Floor up to where its workers have processed all copies,
	// as history.Standings know.
	Delivered, Start, Floor uint64
	PausedUntil             *time.Time
	// Generation is the one that it was created under.
	Generation string
}

// ReadNext reads the first message at or behind a sequence that a consumer's filter lets
// through.
type ReadNext struct {
	Consumer string
	Seq      uint64
	Then     func(seq uint64, h map[string][]string, found bool) Step
}

// SeeMatch asks for the sequence of the last message that a consumer's filter lets
// through; 0 for none.
type SeeMatch struct {
	Consumer string
	Then     func(seq uint64) Step
}

// Planned ends Plan: what is to be recorded.
type Planned struct{ Rewound record.Rewound }

// Refused ends Plan.
type Refused struct{ Err error }

// SeeState reads the state that is in force in the lane.
type SeeState struct {
	Then func(record.State) Step
}

// SeeConsumer looks a consumer up; found is false where the server says that there is
// none.
type SeeConsumer struct {
	Name string
	Then func(generation string, found bool) Step
}

// DeleteConsumer deletes a consumer. It succeeds if there is none.
type DeleteConsumer struct {
	Name string
	Then func() Step
}

// CreateConsumer creates a consumer where a state says; created is false if another one
// of its name is there, or is just being removed.
type CreateConsumer struct {
	State record.State
	Name  string
	Then  func(created bool) Step
}

// RecordDone records that the rewind of a state is done (Recorded). now is the state that
// is then in force.
type RecordDone struct {
	Of   record.State
	Then func(now record.State) Step
}

// Done ends Finish.
type Done struct{ Err error }

func (SeeStream) step()      {}
func (ReadMessage) step()    {}
func (SeeConsumers) step()   {}
func (ReadNext) step()       {}
func (SeeMatch) step()       {}
func (Planned) step()        {}
func (Refused) step()        {}
func (SeeState) step()       {}
func (SeeConsumer) step()    {}
func (DeleteConsumer) step() {}
func (CreateConsumer) step() {}
func (RecordDone) step()     {}
func (Done) step()           {}
