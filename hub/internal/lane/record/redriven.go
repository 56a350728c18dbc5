package record

import (
	"slices"
	"time"
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
