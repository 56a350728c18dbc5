package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

const (
	// restartEntities is how many interests each lane has.
	restartEntities = 10
	// restartEvents is how many events wait at a restart, spread over the
	// entities; every lane is due all events.
	restartEvents = 100
)

// restartResult is how long a hub takes to come back, in seconds.
type restartResult struct {
	Lanes     int `json:"lanes"`
	Interests int `json:"interests"`
	// Ready is until it answers requests, CaughtUp until every lane has what
	// was published meanwhile.
	Ready    summary `json:"ready_seconds"`
	CaughtUp summary `json:"caught_up_seconds"`
	// Peak is of the hub's memory in bytes.
	Peak summary `json:"peak_bytes"`
}

func measureRestart(ctx context.Context, l *lab, opts options) ([]restartResult, error) {
	var results []restartResult
	for _, lanes := range opts.restarts() {
		r, err := restartWith(ctx, l, lanes, opts.rounds)
		if err != nil {
			return nil, fmt.Errorf("%d lanes: %w", lanes, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// restartWith restarts a hub over the same lanes again and again.
func restartWith(ctx context.Context, l *lab, lanes, rounds int) (r restartResult, err error) {
	s, err := l.startServer(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	names, err := services(lanes)
	if err != nil {
		return r, err
	}
	var wanted contract.Register
	for i := range restartEntities {
		wanted.Entities = append(wanted.Entities, fmt.Sprintf("entity-%d", i))
	}
	if err := l.registerOnly(ctx, s, names, wanted); err != nil {
		return r, err
	}
	streams, err := hubLanes(ctx, s.js, names)
	if err != nil {
		return r, err
	}
	var ready, caughtUp, peak []float64
	for i := range rounds {
		events := (i + 1) * restartEvents
		if err := preload(ctx, s, events-restartEvents+1, events, restartSubject); err != nil {
			return r, err
		}
		once, err := restartOnce(ctx, l, s, streams, events)
		if err != nil {
			return r, fmt.Errorf("round %d: %w", i+1, err)
		}
		l.say("restart: %d lanes, round %d of %d: ready in %s, caught up in %s", lanes, i+1, rounds,
			once.ready.Round(time.Millisecond), once.caughtUp.Round(time.Millisecond))
		ready = append(ready, once.ready.Seconds())
		caughtUp = append(caughtUp, once.caughtUp.Seconds())
		peak = append(peak, float64(once.used.Peak))
	}
	if err := checkAll(ctx, s.js, streams, rounds*restartEvents, hubSequence); err != nil {
		return r, err
	}
	return restartResult{
		Lanes: lanes, Interests: lanes * restartEntities,
		Ready: summarize(ready), CaughtUp: summarize(caughtUp), Peak: summarize(peak),
	}, nil
}

func restartSubject(n int) string { return fmt.Sprintf("db.entity-%d.update", n%restartEntities) }

// restarted is one restart.
type restarted struct {
	ready, caughtUp time.Duration
	used            usage
}

func restartOnce(ctx context.Context, l *lab, s *server, streams []laneStream, events int) (r restarted, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundWithin)
	defer cancel()
	began := time.Now()
	h, err := l.launchHub(ctx, s, hubID)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, h.proc.stop()) }()
	if err := h.awaitReady(ctx); err != nil {
		return r, err
	}
	r.ready = time.Since(began)
	if err := awaitCopies(ctx, streams, func(int) uint64 { return uint64(events) }); err != nil {
		return r, err
	}
	r.caughtUp = time.Since(began)
	r.used, err = usageOf(h.proc.Pid())
	return r, err
}
