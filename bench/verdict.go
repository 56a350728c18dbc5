package main

import (
	"errors"
	"fmt"
)

// The minima, each of a median.
const (
	// minLanes is the number of lanes that the minima of speed are for; what is
	// measured with others is printed.
	minLanes = 10
	// minToSources is what the hub has to reach of Sources' copies per second.
	minToSources = 0.8
	// maxLatency is how many times Sources' median latency the hub's may be.
	maxLatency = 1.5
	// maxGrowth is how many times the memory with ten times the backlog may be.
	maxGrowth = 1.2
)

// errMissed: a minimum was missed.
var errMissed = errors.New("minimum missed")

// verdict is an error with one line for each minimum that was measured and
// missed.
func (r *report) verdict() error {
	var missed []error
	miss := func(format string, args ...any) {
		missed = append(missed, fmt.Errorf("%w: %s", errMissed, fmt.Sprintf(format, args...)))
	}
	for _, c := range r.Copies {
		if c.Lanes == minLanes && c.ToSources.Median < minToSources {
			miss("copies into %d lanes are %.2f of Sources', at least %.2f wanted", c.Lanes, c.ToSources.Median, minToSources)
		}
	}
	for _, l := range r.Latency {
		if l.Lanes == minLanes && l.P50.Median > maxLatency {
			miss("p50 latency to %d lanes is %.2f of Sources', at most %.2f wanted", l.Lanes, l.P50.Median, maxLatency)
		}
	}
	if m := r.Memory; m != nil && m.Growth.Median > maxGrowth {
		miss("peak memory with %d events waiting is %.2f of that with %d, at most %.2f wanted", m.Large, m.Growth.Median, m.Small, maxGrowth)
	}
	return errors.Join(missed...)
}
