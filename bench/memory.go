package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// stalledBytes is the limit of the lane that is full: the least that a lane may
// have.
const stalledBytes = 64 << 10

// memoryRounds bounds how often memory is measured: it varies little, and a
// million events take their time.
const memoryRounds = 3

// memoryResult compares a hub's peak memory, in bytes, with few and with many
// events waiting.
type memoryResult struct {
	Small  int     `json:"small_events"`
	Large  int     `json:"large_events"`
	Few    summary `json:"small_peak_bytes"`
	Many   summary `json:"large_peak_bytes"`
	Growth summary `json:"large_to_small"`
}

func measureMemory(ctx context.Context, l *lab, opts options) (*memoryResult, error) {
	small, large := opts.backlogs()
	var few, many []float64
	rounds := min(opts.rounds, memoryRounds)
	for i := range rounds {
		for _, events := range []int{small, large} {
			peak, err := peakWith(ctx, l, events)
			if err != nil {
				return nil, fmt.Errorf("%d events, round %d: %w", events, i+1, err)
			}
			l.say("memory: %d events, round %d of %d: %.1f MiB", events, i+1, rounds, peak/(1<<20))
			if events == small {
				few = append(few, peak)
			} else {
				many = append(many, peak)
			}
		}
	}
	return &memoryResult{
		Small: small, Large: large,
		Few: summarize(few), Many: summarize(many), Growth: summarize(ratios(many, few)),
	}, nil
}

// peakWith is the most memory that a hub takes while events wait for two lanes,
// of which one is full and the other catches up, until that one has.
func peakWith(ctx context.Context, l *lab, events int) (peak float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundWithin)
	defer cancel()
	s, err := l.startServer(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	names, err := services(2)
	if err != nil {
		return 0, err
	}
	stalled, behind := names[0], names[1]
	if err := l.registerBoth(ctx, s, stalled, behind); err != nil {
		return 0, err
	}
	if err := preload(ctx, s, 1, events, users); err != nil {
		return 0, err
	}
	streams, err := hubLanes(ctx, s.js, names)
	if err != nil {
		return 0, err
	}
	h, err := l.launchHub(ctx, s, hubID)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.proc.stop()) }()
	want := []uint64{1, uint64(events)}
	if err := awaitCopies(ctx, streams, func(lane int) uint64 { return want[lane] }); err != nil {
		return 0, err
	}
	full, err := streams[0].count(ctx)
	if err != nil {
		return 0, err
	}
	if full >= uint64(events) {
		return 0, fmt.Errorf("lane %s took all %d events: it did not stall", stalled, full)
	}
	u, err := usageOf(h.proc.Pid())
	return float64(u.Peak), err
}

func (l *lab) registerBoth(ctx context.Context, s *server, stalled, behind subjects.Name) error {
	h, err := l.startHub(ctx, s)
	if err != nil {
		return err
	}
	return errors.Join(
		h.register(ctx, stalled, contract.Register{Entities: []string{entity}, MaxBytes: stalledBytes}),
		h.register(ctx, behind, contract.Register{Entities: []string{entity}}),
		h.proc.stop(),
	)
}
