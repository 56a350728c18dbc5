package redrive

import (
	"errors"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

// Limits bound one append, and the list of the letters that stay.
type Limits struct {
	// Letters is how many letters the lane's state may name, Bytes how large the copies of
	// an append may be. A portion ends at the letter that reaches Bytes.
	Letters, Bytes int
	// Left is how large the list of the letters that stay may be, and Size what one letter
	// adds to it.
	Left int
	Size func(Left) int
}

// Left is a letter that stays, and why.
type Left struct {
	Seq uint64
	Why string
}

// Reasons for which nothing is put back.
var (
	// ErrDetached: the lane is detached.
	ErrDetached = errors.New("the lane is detached")
	// ErrBusy: another redrive is under way.
	ErrBusy = errors.New("another redrive is under way")
)

// NoLetter is why a letter that a request names stays, if it does not exist.
const NoLetter = "no such dead letter"

// Redrive is one request under way. Its results grow with each portion.
type Redrive struct {
	limits Limits
	// The letters that are still to do: all from a sequence on, or these, ascending.
	all  bool
	from uint64
	seqs []uint64

	// Redriven counts the letters whose events are in the lane again. Left are those that
	// stay, and At is the last letter that was looked at.
	Redriven int
	Left     []Left
	At       uint64
	size     int // of Left
}

// All redrives all letters behind a sequence.
func All(after uint64, limits Limits) *Redrive {
	return &Redrive{limits: limits, all: true, from: after + 1}
}

// These redrives the letters at the sequences behind another one.
func These(seqs []uint64, after uint64, limits Limits) *Redrive {
	seqs = slices.Compact(slices.Sorted(slices.Values(seqs)))
	return &Redrive{limits: limits, seqs: slices.DeleteFunc(seqs, func(seq uint64) bool { return seq <= after })}
}

// Crowded reports whether the list of letters that stay is full.
func (r *Redrive) Crowded() bool { return r.size >= r.limits.Left }

// Begin returns the first step. It finishes redrives that a crash cut short: the copies of
// the letters that the state names are in the lane, so these letters are removed.
// Otherwise the record would name them for ever, and the record is bounded.
func (r *Redrive) Begin() Step {
	return ReadState{func(s record.State) Step {
		if len(s.Redriven) == 0 {
			return r.next()
		}
		return r.finish(s, s.Redriven)
	}}
}

// finish removes the letters that a state names, and then forgets them.
func (r *Redrive) finish(s record.State, rest []record.LetterID) Step {
	if len(rest) == 0 {
		return Forget{s.Redriven, r.next}
	}
	id := rest[0]
	next := func() Step { return r.finish(s, rest[1:]) }
	return ReadLetter{id.Seq, true, func(l *Letter) Step {
		if l == nil || !s.HasRedriven(l.LetterID) {
			return next() // removed already, or of a stream that was created again
		}
		return Remove{*l, func() Step {
			named := slices.Index(r.seqs, id.Seq)
			if named >= 0 {
				r.seqs = slices.Delete(r.seqs, named, named+1)
			}
			if named >= 0 || r.all && id.Seq >= r.from {
				r.Redriven++
			}
			return next()
		}}
	}}
}
