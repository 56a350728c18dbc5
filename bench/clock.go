package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/subjects"
)

// roundWithin bounds one round: what takes longer is stuck.
const roundWithin = 10 * time.Minute

// laneStream is a lane as the server sees it.
type laneStream struct {
	name   string
	stream jetstream.Stream
	// copies matches the copies among its messages.
	copies string
}

// hubLanes looks up the lanes that a hub made.
func hubLanes(ctx context.Context, js jetstream.JetStream, services []subjects.Name) ([]laneStream, error) {
	lanes := make([]laneStream, len(services))
	for i, service := range services {
		name := subjects.LaneStream(service)
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", name, err)
		}
		lanes[i] = laneStream{name: name, stream: stream, copies: subjects.WorkerFilter(service, -1)}
	}
	return lanes, nil
}

// count asks the server how many copies the lane holds.
func (l laneStream) count(ctx context.Context) (uint64, error) {
	info, err := l.stream.Info(ctx, jetstream.WithSubjectFilter(l.copies))
	if err != nil {
		return 0, fmt.Errorf("count the copies in %s: %w", l.name, err)
	}
	var n uint64
	for _, of := range info.State.Subjects {
		n += of
	}
	return n, nil
}

func countAll(ctx context.Context, lanes []laneStream) (uint64, error) {
	var total uint64
	for _, l := range lanes {
		n, err := l.count(ctx)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// seen is how many copies were there at a moment.
type seen struct {
	at    time.Time
	total uint64
}

// awaitFirst returns once there are copies, and how many in all lanes then.
func awaitFirst(ctx context.Context, lanes []laneStream) (seen, error) {
	var first seen
	err := poll(ctx, func() (bool, error) {
		before := time.Now()
		n, err := countAll(ctx, lanes)
		// Counting many lanes takes a while: the middle of it is when.
		first = seen{at: before.Add(time.Since(before) / 2), total: n}
		return n > 0, err
	})
	return first, err
}

// awaitCopies returns once every lane holds at least n copies.
func awaitCopies(ctx context.Context, lanes []laneStream, want func(lane int) uint64) error {
	for i, l := range lanes {
		var have uint64
		err := poll(ctx, func() (done bool, err error) {
			have, err = l.count(ctx)
			return have >= want(i), err
		})
		if err != nil {
			return fmt.Errorf("wait for %d copies in %s, which has %d: %w", want(i), l.name, have, err)
		}
	}
	return nil
}

// poll asks until the answer is yes, an error, or ctx has ended.
func poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// round is one measured round of copying.
type round struct {
	// Rate is in copies per second from the beginning, Steady behind the first
	// copies that were seen: without what starting takes.
	Rate    float64       `json:"rate"`
	Steady  float64       `json:"steady"`
	Elapsed time.Duration `json:"elapsed_ns"`
	// Writer is who copies, when that is not the server itself.
	Writer usage `json:"writer"`
	Server usage `json:"server"`
}

// timed runs a clock from begin, which starts the copying and returns the
// process that does it, until the server counts all copies.
func timed(ctx context.Context, s *server, lanes []laneStream, events int, begin func(ctx context.Context) (meter, error)) (round, error) {
	ctx, cancel := context.WithTimeout(ctx, roundWithin)
	defer cancel()
	server, err := newMeter(s.proc.Pid())
	if err != nil {
		return round{}, err
	}
	began := time.Now()
	writer, err := begin(ctx)
	if err != nil {
		return round{}, err
	}
	first, err := awaitFirst(ctx, lanes)
	if err != nil {
		return round{}, err
	}
	if err := awaitCopies(ctx, lanes, func(int) uint64 { return uint64(events) }); err != nil {
		return round{}, err
	}
	ended := time.Now()

	r := round{Elapsed: ended.Sub(began)}
	if r.Server, err = server.read(); err != nil {
		return round{}, err
	}
	if writer.pid != 0 {
		if r.Writer, err = writer.read(); err != nil {
			return round{}, err
		}
	}
	r.Rate, r.Steady = rates(began, ended, first, uint64(len(lanes))*uint64(events))
	return r, nil
}

// rates are the copies per second from the beginning and behind the first ones
// seen. A run that was over by then has one rate only.
func rates(began, ended time.Time, first seen, copies uint64) (rate, steady float64) {
	rate = float64(copies) / ended.Sub(began).Seconds()
	if first.total >= copies || !first.at.Before(ended) {
		return rate, rate
	}
	return rate, float64(copies-first.total) / ended.Sub(first.at).Seconds()
}
