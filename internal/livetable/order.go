package livetable

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// order is what the table is sorted by.
type order int

const (
	byTrouble order = iota
	byName
	byLag
	byBacklog
	byRate
	byDead
	orders // how many there are
)

func (o order) String() string {
	return [...]string{"trouble", "name", "lag", "backlog", "copies/s", "dead letters"}[o]
}

// trouble is how serious the state of a service is: 0 is none.
func trouble(s *contract.LaneStatus, now time.Time) int {
	level := 0
	raise := func(to int, when bool) {
		if when {
			level = max(level, to)
		}
	}
	raise(1, s.Backlog > 0 && s.OldestUnacked > 60 || s.LagSeconds > 10)
	raise(2, s.DeadLetters > 0 || s.DeadLettersUnknown || s.Fill != nil && s.Fill.Stalled != "")
	for _, w := range s.Workers {
		raise(2, w.PausedUntil != nil && w.PausedUntil.After(now))
		raise(4, w.Missing)
	}
	raise(3, len(s.Unavailable) > 0 || s.UnavailableLeftOut > 0)
	raise(4, s.State == contract.LaneStalled)
	raise(5, s.State == contract.LaneDetached || s.State == contract.LaneIncompatible)
	return level
}

// sorted are the services that have a text in their name, state, reason or entities, in an
// order; reversed turns it around. Equal ones stand by name.
func sorted(all []contract.LaneStatus, histories map[string]*history, filter string, by order, reversed bool, at time.Time) []*contract.LaneStatus {
	var rows []*contract.LaneStatus
	for i := range all {
		if matches(&all[i], filter) {
			rows = append(rows, &all[i])
		}
	}
	rate := func(s *contract.LaneStatus) float64 {
		if h := histories[s.Service]; h != nil {
			return now(h.rate)
		}
		return 0
	}
	slices.SortStableFunc(rows, func(a, b *contract.LaneStatus) int {
		c := 0
		switch by {
		case byTrouble:
			c = cmp.Or(cmp.Compare(trouble(b, at), trouble(a, at)), cmp.Compare(b.Lag+b.Backlog, a.Lag+a.Backlog))
		case byLag:
			c = cmp.Compare(b.Lag, a.Lag)
		case byBacklog:
			c = cmp.Compare(b.Backlog, a.Backlog)
		case byRate:
			c = cmp.Compare(rate(b), rate(a))
		case byDead:
			c = cmp.Compare(b.DeadLetters, a.DeadLetters)
		case byName, orders:
		}
		c = cmp.Or(c, strings.Compare(a.Service, b.Service))
		if reversed {
			return -c
		}
		return c
	})
	return rows
}

func matches(s *contract.LaneStatus, filter string) bool {
	if filter == "" {
		return true
	}
	for _, text := range []string{s.Service, s.State, s.Reason} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(filter)) {
			return true
		}
	}
	return slices.ContainsFunc(s.Interests, func(in contract.InterestStatus) bool { return strings.Contains(in.Entity, filter) })
}
