package record

import (
	"fmt"

	"github.com/replhub/replhub/hub/internal/event"
)

// A state record is one message, so the server's max_payload bounds it. A
// registration is refused if its record, with all its possible later growth, would
// not fit. So a record that was accepted can always be written again, whatever
// happens to its lane.

const (
	// recordHeaders is what the headers of a state record take of max_payload: the
	// line before the first header, what its append states, and the record's mark.
	recordHeaders = 12 + 192 + 64
	// fixedGrowth is what the parts of a fixed number may grow by: the writer and
	// its time, the live position, the queue's beginning, the mark of a drop, and
	// why the lane was detached (maxReason bytes, twice as long when escaped), and
	// the fills of rows that have ended, and the gaps.
	fixedGrowth = 512 + 2*maxReason + maxFilled*filledGrowth + maxGaps*gapGrowth
	// gapGrowth is a gap: two sequences.
	gapGrowth = 64
	// filledGrowth is a fill of rows that has ended: its id, entity, number and
	// times.
	filledGrowth = 256
	// fillGrowth is what the cursor of a fill may grow by, and snapshotGrowth that
	// of a snapshot: the longest key, twice as long when escaped, its number and
	// the owner's name.
	fillGrowth     = 96
	snapshotGrowth = 2*event.MaxKey + 160
	// rewindGrowth is what a rewind takes, and startGrowth what it takes for each
	// consumer while it is under way.
	rewindGrowth = 320
	startGrowth  = 40
	// resumedGrowth is where a replaced consumer goes on.
	resumedGrowth = 192
	// letterGrowth is one redriven letter, and endedGrowth one ended interest.
	letterGrowth = 96
	endedGrowth  = 32
	// A sixteenth of max_payload is kept for redriven letters, and as much is
	// granted to ended interests, as long as that is less than their own bounds.
	growthShare = 16
	// maxReason bounds the text of why a lane was detached, in bytes.
	maxReason = 512
)

// StateTooLargeError says that a state record does not fit the server's max_payload.
type StateTooLargeError struct {
	// Size is how large the record would be, and Most how large it may be, in
	// bytes. Most is MaxPayload less what the record may grow by.
	Size, Most int
	MaxPayload int64
}

// Error implements error.
func (e *StateTooLargeError) Error() string {
	return fmt.Sprintf("the lane's state record has %d bytes and may have %d (the server's max_payload is %d): unregister interests, shorten filters and fields, or raise max_payload",
		e.Size, e.Most, e.MaxPayload)
}

// Bounded checks a state that a registration makes from now, and returns it with
// fewer ended interests where they exceed their share of maxPayload (the oldest are
// forgotten). It refuses the state with a *StateTooLargeError when its record could
// outgrow maxPayload, unless the state is no larger than now and fits as it is.
func (s State) Bounded(now State, maxPayload int64) (State, error) {
	if most := mostEnded(maxPayload); len(s.Ended) > most {
		s = s.Clone()
		s.Ended = s.Ended[len(s.Ended)-most:]
	}
	size, err := s.size()
	if err != nil {
		return s, err
	}
	most := int(maxPayload) - s.growth(maxPayload)
	if size <= most {
		return s, nil
	}
	if before, err := now.size(); err == nil && size <= before && size <= int(maxPayload) {
		return s, nil // max_payload was lowered, and this state is on the way back below it
	}
	return s, &StateTooLargeError{Size: size, Most: max(most, 0), MaxPayload: maxPayload}
}

// size is what the state's record takes of max_payload.
func (s State) size() (int, error) {
	data, err := Encode(s)
	return recordHeaders + len(data), err
}

// growth is what the state's record may grow by without a registration.
func (s State) growth(maxPayload int64) int {
	n := fixedGrowth + max(MostRedriven(maxPayload)-len(s.Redriven), 0)*letterGrowth
	n += rewindGrowth + startGrowth*len(Consumers(s.Queue)) + resumedGrowth
	for _, f := range s.Fills {
		n += fillGrowth
		if f.Snapshot != nil {
			n += max(snapshotGrowth-len(f.Snapshot.After), 0)
		}
	}
	return n
}

// MostRedriven is how many letters a lane's state may name that are redriven and not
// yet removed: MaxRedriven, or fewer under a small max_payload.
func MostRedriven(maxPayload int64) int {
	return min(MaxRedriven, max(int(maxPayload)/growthShare/letterGrowth, 1))
}

// mostEnded is how many ended interests a lane remembers: maxEnded, or fewer
// under a small max_payload.
func mostEnded(maxPayload int64) int {
	return min(maxEnded, max(int(maxPayload)/growthShare/endedGrowth, 1))
}

// CheckSize refuses an encoded record that is larger than the server accepts. The
// lane is then unchanged, because nothing was sent.
func CheckSize(data []byte, maxPayload int64) error {
	if size := recordHeaders + len(data); size > int(maxPayload) {
		return &StateTooLargeError{Size: size, Most: int(maxPayload), MaxPayload: maxPayload}
	}
	return nil
}
