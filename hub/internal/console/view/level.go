package view

import (
	"slices"

	"github.com/replhub/replhub/internal/contract"
)

// Level is how well something is. It is the class of a cell, beside the words that say
// the same: no colour stands alone.
type Level string

// The levels.
const (
	Good Level = "good"
	Warn Level = "warn"
	Bad  Level = "bad"
)

// rank orders levels, worst first.
func (l Level) rank() int {
	switch l {
	case Bad:
		return 0
	case Warn:
		return 1
	case Good:
	}
	return 2
}

const (
	// lateSeconds is the lag, and slowSeconds the age of an unacknowledged copy, from
	// which an operator should look.
	lateSeconds = 30
	slowSeconds = 5 * 60
)

// levelOf is the worst that is true of a lane.
func levelOf(s *contract.LaneStatus) Level {
	level, _ := judge(s)
	return level
}

// judge is the worst that is true of a lane, and the words for what its state does not say.
func judge(s *contract.LaneStatus) (level Level, why string) {
	switch s.State {
	case contract.LaneStalled, contract.LaneDetached, contract.LaneIncompatible:
		return Bad, ""
	}
	switch {
	case len(s.Unavailable) > 0 || s.UnavailableLeftOut > 0:
		return Bad, "instances wait"
	case waitsForOwner(s):
		return Bad, "rows do not come"
	case s.LagSeconds >= lateSeconds:
		return Warn, "late"
	case s.DeadLetters > 0:
		return Warn, "dead letters"
	case paused(s):
		return Warn, "paused"
	case s.OldestUnacked >= slowSeconds:
		return Warn, "slow workers"
	}
	return Good, ""
}

// waitsForOwner reports whether a fill of rows gets none.
func waitsForOwner(s *contract.LaneStatus) bool {
	return s.Fill != nil && s.Fill.Stalled != "" || slices.ContainsFunc(s.OtherFills, func(f contract.FillStatus) bool { return f.Stalled != "" })
}

func paused(s *contract.LaneStatus) bool {
	for i := range s.Workers {
		if s.Workers[i].PausedUntil != nil {
			return true
		}
	}
	return false
}

func above(value, limit float64) Level {
	if value >= limit {
		return Warn
	}
	return Good
}
