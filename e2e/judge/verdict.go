package judge

import (
	"errors"
	"fmt"
	"strings"
)

// Place is where among the copies that came one is missing.
type Place string

// Places of what was lost.
const (
	Prefix Place = "prefix"
	Middle Place = "middle"
	Tail   Place = "tail"
)

// Verdict is what was found in a lane, or in ingest.
type Verdict struct {
	Service string
	// Copies is how many there are.
	Copies int
	// Lost counts what is missing, by place.
	Lost map[Place]int
	// Duplicates are copies of an event beyond the first under the same
	// registration, Reordered those behind a later event's, Wrong those whose
	// subject, headers or payload differ, Nowhere those that are not due.
	Duplicates, Reordered, Wrong, Nowhere int
	// Dead are the events that are due a dead letter.
	Dead []Position
	// Details are the findings in words, the first few of each kind.
	Details []string
}

// mostDetails bounds the findings put into words.
const mostDetails = 12

func (v *Verdict) note(kind, format string, args ...any) {
	if len(v.Details) < mostDetails {
		v.Details = append(v.Details, kind+": "+fmt.Sprintf(format, args...))
	}
}

func (v *Verdict) lost(place Place, format string, args ...any) {
	if v.Lost == nil {
		v.Lost = map[Place]int{}
	}
	v.Lost[place]++
	v.note("lost ("+string(place)+")", format, args...)
}

func (v *Verdict) twice(format string, args ...any) {
	v.Duplicates++
	v.note("twice", format, args...)
}

func (v *Verdict) reordered(format string, args ...any) {
	v.Reordered++
	v.note("out of order", format, args...)
}

func (v *Verdict) wrong(format string, args ...any) {
	v.Wrong++
	v.note("wrong", format, args...)
}

func (v *Verdict) nowhere(format string, args ...any) {
	v.Nowhere++
	v.note("from nowhere", format, args...)
}

// LostTotal is how many are missing, wherever.
func (v *Verdict) LostTotal() int { return v.Lost[Prefix] + v.Lost[Middle] + v.Lost[Tail] }

// Err is nil when nothing is amiss.
func (v *Verdict) Err() error {
	if v.LostTotal()+v.Duplicates+v.Reordered+v.Wrong+v.Nowhere == 0 {
		return nil
	}
	return errors.New(fmt.Sprintf("%s: %d copies, lost %d (prefix %d, middle %d, tail %d), twice %d, out of order %d, wrong %d, from nowhere %d:\n  ",
		v.Service, v.Copies, v.LostTotal(), v.Lost[Prefix], v.Lost[Middle], v.Lost[Tail],
		v.Duplicates, v.Reordered, v.Wrong, v.Nowhere) + strings.Join(v.Details, "\n  "))
}
