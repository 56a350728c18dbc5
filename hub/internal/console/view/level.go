package view

import "github.com/replhub/replhub/internal/contract"

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
	switch s.State {
	case contract.LaneStalled, contract.LaneDetached, contract.LaneIncompatible:
		return Bad
	}
	switch {
	case len(s.Unavailable) > 0 || s.UnavailableLeftOut > 0:
		return Bad
	case s.DeadLetters > 0, s.LagSeconds >= lateSeconds, s.OldestUnacked >= slowSeconds, paused(s):
		return Warn
	}
	return Good
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
