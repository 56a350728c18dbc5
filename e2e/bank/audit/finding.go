package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is a way in which a replica is wrong.
type Kind string

// The kinds.
const (
	// Missing: a row of the source is not in the replica.
	Missing Kind = "missing"
	// Resurrected: a row is in the replica that the source does not have.
	Resurrected Kind = "resurrected"
	// Different: a row is not the source's projection.
	Different Kind = "different"
	// Twice: an effect was made more than once.
	Twice Kind = "twice"
	// Phantom: an effect was made of what the source never committed.
	Phantom Kind = "phantom"
	// Lost: a change that is due had no effect.
	Lost Kind = "lost"
	// Backwards: an effect was made after that of a newer change of its key.
	Backwards Kind = "backwards"
	// Disordered: a handler began on a change that none had got through, after
	// one had begun on a later change of its key.
	Disordered Kind = "disordered"
	// Overlapping: two instances were at work on one partition at a time.
	Overlapping Kind = "overlapping"
	// Receding: an effect's position was not after that of its key's effect before.
	Receding Kind = "receding"
	// Unshared: an instance had more partitions than its share for too long, or a
	// partition had nobody.
	Unshared Kind = "unshared"
)

// mostDetails bounds the findings of a kind that are put into words.
const mostDetails = 5

// Verdict is what was found of one service, and how much was looked at.
type Verdict struct {
	Service string
	// Rows, Effects and Handlings are how many there are.
	Rows, Effects, Handlings int
	// Found counts what is wrong.
	Found map[Kind]int
	// Details are the findings in words, the first few of each kind.
	Details []string
	// Excused counts overlaps with an instance that was stopped at the time.
	Excused int
	// Outcomes counts what handlers came to; "cut" are those whose process was
	// killed.
	Outcomes map[string]int
}

func (v *Verdict) found(kind Kind, format string, args ...any) {
	if v.Found == nil {
		v.Found = make(map[Kind]int)
	}
	if v.Found[kind]++; v.Found[kind] <= mostDetails {
		v.Details = append(v.Details, fmt.Sprintf("%s: %s: ", v.Service, kind)+fmt.Sprintf(format, args...))
	}
}

// Err is nil if nothing was found.
func (v *Verdict) Err() error {
	if len(v.Found) == 0 {
		return nil
	}
	return errors.New(v.Counts() + "\n" + strings.Join(v.Details, "\n"))
}

// Counts are the kinds found and how often, in words.
func (v *Verdict) Counts() string {
	parts := make([]string, 0, len(v.Found)+1)
	for _, kind := range slices.Sorted(maps.Keys(v.Found)) {
		parts = append(parts, fmt.Sprintf("%d %s", v.Found[kind], kind))
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing wrong")
	}
	return v.Service + ": " + strings.Join(parts, ", ")
}
