package record

import (
	"slices"
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// LetterID is a dead letter's identity: its sequence in the stream DLQ and when
// it was stored there. A stream that is created again counts from 1.
type LetterID struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
}

func (id LetterID) same(other LetterID) bool { return id.Seq == other.Seq && id.Time.Equal(other.Time) }

// HasRedriven reports whether a letter's event is already in the lane again.
func (s State) HasRedriven(id LetterID) bool { return slices.ContainsFunc(s.Redriven, id.same) }

// Forget removes deleted letters from the state.
func (s State) Forget(ids []LetterID) State {
	s = s.Clone()
	s.Redriven = slices.DeleteFunc(s.Redriven, func(id LetterID) bool { return slices.ContainsFunc(ids, id.same) })
	return s
}

// MaxRedriven bounds the copies of one Redrive: an atomic batch takes 1000
// messages, and the lane's loop waits while letters are read.
const MaxRedriven = 250

// RedrivenCopy marks the headers of a copy that comes back for the times-th time, and
// returns its subject in the form of the lane's present queue.
func (s State) RedrivenCopy(service, entity subjects.Name, op subjects.Op, header map[string][]string, times int) string {
	partition := subjects.Partition(get(header, contract.HeaderKey), max(Partitions(s.Queue), 1))
	header[contract.HeaderRedriven] = []string{strconv.Itoa(times)}
	return subjects.NewCopy(service, entity, op, partition).String()
}
