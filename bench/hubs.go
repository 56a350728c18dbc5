package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub/internal/contract"
)

const (
	// mostHubs is the largest number of hubs beside each other.
	mostHubs = 3
	// hubsLanes is the number of lanes that they share.
	hubsLanes = 30
)

// hubsResult is what copying into the same lanes came to with each number of hubs.
type hubsResult struct {
	Lanes  int `json:"lanes"`
	Events int `json:"events"`
	// Hubs has the rounds by the number of hubs, from one on.
	Hubs [][]round `json:"hubs"`
	// ToOne has the ratios to one hub, round by round.
	ToOne []summary `json:"to_one"`
}

// measureHubs times one, two and three hubs on the same lanes, in turns.
func measureHubs(ctx context.Context, l *lab, opts options) (*hubsResult, error) {
	result := &hubsResult{Lanes: hubsLanes, Events: opts.eventsFor(hubsLanes), Hubs: make([][]round, mostHubs), ToOne: make([]summary, mostHubs)}
	for i := range opts.rounds {
		for k := range mostHubs {
			n := k + 1
			if i%2 == 1 {
				n = mostHubs - k
			}
			r, err := copyByHubsOnce(ctx, l, n, result.Lanes, result.Events)
			if err != nil {
				return nil, fmt.Errorf("%d hubs, round %d: %w", n, i+1, err)
			}
			l.say("hubs: %d hubs, round %d of %d: %.0f/s", n, i+1, opts.rounds, r.Rate)
			result.Hubs[n-1] = append(result.Hubs[n-1], r)
		}
	}
	rate := func(n int) []float64 { return pick(result.Hubs[n-1], func(r round) float64 { return r.Rate }) }
	for n := 1; n <= mostHubs; n++ {
		result.ToOne[n-1] = summarize(ratios(rate(n), rate(1)))
	}
	return result, nil
}

func copyByHubsOnce(ctx context.Context, l *lab, n, lanes, events int) (r round, err error) {
	s, err := l.startServer(ctx)
	if err != nil {
		return round{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	return copyByHubs(ctx, l, s, n, lanes, events)
}

// copyByHubs registers services, stops the hub, fills ingest and times n hubs from their
// start.
func copyByHubs(ctx context.Context, l *lab, s *server, n, lanes, events int) (r round, err error) {
	names, err := services(lanes)
	if err != nil {
		return round{}, err
	}
	if err := l.registerOnly(ctx, s, names, contract.Register{Entities: []string{entity}}); err != nil {
		return round{}, err
	}
	if err := preload(ctx, s, 1, events, users); err != nil {
		return round{}, err
	}
	streams, err := hubLanes(ctx, s.js, names)
	if err != nil {
		return round{}, err
	}
	var hubs []*hub
	defer func() {
		for _, h := range hubs {
			err = errors.Join(err, h.proc.stop())
		}
	}()
	r, err = timed(ctx, s, streams, events, func(context.Context) (meter, error) {
		for i := range n {
			// The hubs outlive the clock, so they do not take the clock's context.
			h, err := l.launchHub(ctx, s, fmt.Sprintf("%s-%d", hubID, i+1))
			if err != nil {
				return meter{}, err
			}
			hubs = append(hubs, h)
		}
		return meter{pid: hubs[0].proc.Pid()}, nil // of the first one, from its start
	})
	if err != nil {
		return round{}, err
	}
	return r, checkAll(ctx, s.js, streams, events, hubSequence)
}
