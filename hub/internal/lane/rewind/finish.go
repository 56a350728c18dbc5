package rewind

import (
	"errors"
	"strconv"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

// ErrUnsteady: others create and delete a consumer all the time.
var ErrUnsteady = errors.New("others create and delete it")

// Finish creates the consumers that a recorded rewind has not yet created, and records
// that it is done. lane distinguishes the lane from an earlier one of the same name.
//
// The state may be old: another rewind may have begun since, or the lane's server with an
// older copy of the stream, which has no such rewind. Its place may then lie behind copies
// that are due. So the state is read first, and once more as part of the last write. If
// the rewind is not in force by then, the consumers get the place of the state that is.
func Finish(s record.State, lane string) Step {
	return SeeState{func(now record.State) Step {
		if !sameRewind(now, s.Rewound.ID) {
			return Done{}
		}
		return finish{s, lane, attempts}.next(record.Consumers(s.Queue))
	}}
}

func sameRewind(s record.State, id string) bool { return s.Rewound != nil && s.Rewound.ID == id }

const attempts = 3

// finish gives the consumers of a lane the place of a state.
type finish struct {
	state record.State
	lane  string
	tries int
}

func (f finish) next(rest []string) Step {
	if len(rest) > 0 {
		return f.recreate(rest[0], attempts, func() Step { return f.next(rest[1:]) })
	}
	return RecordDone{f.state, func(now record.State) Step {
		switch {
		case Generation(now, f.lane) == Generation(f.state, f.lane):
			return Done{}
		case f.tries == 0:
			return Done{ErrUnsteady}
		}
		return finish{now, f.lane, f.tries - 1}.next(record.Consumers(now.Queue))
	}}
}

// recreate creates a consumer in place of one of another generation.
func (f finish) recreate(name string, tries int, then func() Step) Step {
	if tries == 0 {
		return Done{ErrUnsteady}
	}
	create := func() Step {
		return CreateConsumer{f.state, name, func(created bool) Step {
			if created {
				return then()
			}
			return f.recreate(name, tries-1, then)
		}}
	}
	return SeeConsumer{name, func(have string, found bool) Step {
		switch {
		case found && have == Generation(f.state, f.lane):
			return then() // another hub has created it
		case found:
			return DeleteConsumer{name, create}
		}
		return create()
	}}
}

// Recorded returns the state in which the rewind of an earlier state is done; changed is
// false if another rewind is in force, or this one is done already.
func Recorded(s, of record.State) (next record.State, changed bool) {
	s = s.Clone()
	if of.Rewound == nil || !sameRewind(s, of.Rewound.ID) || s.Rewound.Done {
		return s, false
	}
	s.Rewound = s.Rewound.Finished()
	return s, true
}

// Generation names the place where a state makes the consumers of a lane start. lane
// distinguishes the lane from an earlier one of the same name.
func Generation(s record.State, lane string) string {
	id := lane + strconv.FormatUint(s.QueueFrom, 10)
	if s.Rewound != nil {
		id += "/" + s.Rewound.ID
	}
	return id
}
