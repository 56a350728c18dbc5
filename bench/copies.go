package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// wayAgain is the hub measured a second time in every round: by how much it
// differs from the hub is the noise.
const wayAgain = "hub again"

// noiseLanes is the number of lanes at which the noise is measured, if it is
// among those asked for.
const noiseLanes = 10

// copiesResult is what copying into one number of lanes came to.
type copiesResult struct {
	Lanes  int                `json:"lanes"`
	Events int                `json:"events"`
	Ways   map[string][]round `json:"ways"`
	// The ratios of hub to Sources, to the limit and to itself, round by round.
	ToSources summary `json:"hub_to_sources"`
	ToLimit   summary `json:"hub_to_limit"`
	Noise     summary `json:"hub_to_hub"`
}

// measureCopies times every way for each number of lanes, in turns.
func measureCopies(ctx context.Context, l *lab, opts options) ([]copiesResult, error) {
	noiseAt := opts.lanes[0]
	if slices.Contains(opts.lanes, noiseLanes) {
		noiseAt = noiseLanes
	}
	var results []copiesResult
	for _, lanes := range opts.lanes {
		ways := []string{wayHub, waySources, wayLimit}
		if lanes == noiseAt {
			ways = append(ways, wayAgain)
		}
		r, err := compareCopies(ctx, l, ways, lanes, opts.eventsFor(lanes), opts.rounds)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

func compareCopies(ctx context.Context, l *lab, ways []string, lanes, events, rounds int) (copiesResult, error) {
	result := copiesResult{Lanes: lanes, Events: events, Ways: make(map[string][]round)}
	for i := range rounds {
		for _, way := range turn(ways, i) {
			r, err := copyOnce(ctx, l, way, lanes, events)
			if err != nil {
				return copiesResult{}, fmt.Errorf("%s, %d lanes, round %d: %w", way, lanes, i+1, err)
			}
			l.say("copies: %d lanes, round %d of %d, %s: %.0f/s", lanes, i+1, rounds, way, r.Rate)
			result.Ways[way] = append(result.Ways[way], r)
		}
	}
	rate := func(way string) []float64 {
		return pick(result.Ways[way], func(r round) float64 { return r.Rate })
	}
	result.ToSources = summarize(ratios(rate(wayHub), rate(waySources)))
	result.ToLimit = summarize(ratios(rate(wayHub), rate(wayLimit)))
	result.Noise = summarize(ratios(rate(wayAgain), rate(wayHub)))
	return result, nil
}

// turn is the order of a round: forth, then back, so that none is always behind
// the same other.
func turn(ways []string, round int) []string {
	ways = slices.Clone(ways)
	if round%2 == 1 {
		slices.Reverse(ways)
	}
	return ways
}

func copyOnce(ctx context.Context, l *lab, way string, lanes, events int) (r round, err error) {
	s, err := l.startServer(ctx)
	if err != nil {
		return round{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if way == wayAgain {
		way = wayHub
	}
	return contenders()[way](ctx, l, s, lanes, events)
}
