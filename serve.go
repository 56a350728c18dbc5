package replhub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// describeEvery is the time between checks whether the lane is detached, in case
	// the hub's announcement is lost.
	describeEvery = 15 * time.Second
	// noticeEvery is the least time between such checks: whoever sends notices of a
	// detachment costs a request for each of these times, and no more.
	noticeEvery = time.Second
	// leaveTime bounds the request that tells the hub that this instance leaves.
	leaveTime = time.Second
)

// serve works on the present queues until ctx ends or the queues change.
func (s *Subscriber) serve(ctx context.Context) error {
	p, err := s.lookAtQueues(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	serving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	handlers, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	d := newDriver(s, p, serving, handlers, stop)
	s.driver = d
	s.serves.Store(d)
	defer s.serves.Store(nil)
	defer s.forgetOutage()
	detached, err := s.client.nc.Subscribe("replhub._detached."+s.client.Service(), func(*nats.Msg) { d.notice() })
	if err != nil {
		return fmt.Errorf("subscribe: %w", closedError(err))
	}
	defer func() { _ = detached.Unsubscribe() }()

	err = d.run(cut, func() { s.began.Do(func() { close(s.ready) }) })
	if cause := context.Cause(serving); ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// run works until the context of serving ends, and then drains. It calls begun when
// it has requested events; cut ends the handlers' context.
func (d *driver) run(cut context.CancelFunc, begun func()) error {
	done := make(chan struct{})
	var timers sync.WaitGroup
	timers.Go(func() { d.runTimers(done) })
	m := &membership{s: d.s, d: d, partitions: d.plan.partitions}
	var intakes sync.WaitGroup
	intakes.Go(func() { d.watchLane(d.serving) })
	if d.plan.ordered {
		intakes.Go(func() {
			if err := m.run(d.serving); err != nil {
				d.stop(err)
			}
		})
	} else {
		d.step(func(now time.Time) { d.core.Open(now, d.plan.created) })
	}
	for range d.s.cfg.Workers {
		d.workers.Go(d.work)
	}
	begun()
	<-d.serving.Done()
	intakes.Wait()
	err := d.finish(m, cut)
	close(done)
	timers.Wait()
	close(d.ended)
	cut()
	if err == nil {
		d.workers.Wait()
		d.tasks.Wait()
	}
	if n := d.spilled(); n > 0 {
		d.s.client.log.Warn("events that waited for other rows stay dead letters, with the reason waits: redrive them",
			"service", d.s.client.Service(), "letters", n)
	}
	return err
}

// finish gives back the events that have not begun, waits for the others, and tells
// the hub that this instance leaves, unless it begins again with other queues.
func (d *driver) finish(m *membership, cut context.CancelFunc) error {
	d.drain()
	err := d.awaitWorkers(cut)
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	client := d.s.client
	// An instance that begins again with other queues keeps its name: a hub that took its
	// farewell late would give away the partitions that it has by then.
	again := errors.Is(context.Cause(d.serving), errReplan)
	if d.plan.ordered && !again && !client.nc.IsClosed() {
		if _, err := m.join(ctx, true); err != nil {
			client.log.Debug("say farewell", "err", err)
		}
	}
	if client.nc.IsConnected() {
		_ = client.nc.FlushWithContext(ctx) // acknowledgements on their way; an event whose acknowledgement is lost comes again
	}
	return err
}

// awaitWorkers waits for the handlers under way.
func (d *driver) awaitWorkers(cut context.CancelFunc) error {
	quiet := make(chan struct{})
	go func() {
		d.workers.Wait()
		close(quiet)
	}()
	timer := time.NewTimer(d.s.cfg.DrainTimeout)
	defer timer.Stop()
	select {
	case <-quiet:
		return nil
	case <-timer.C:
	}
	cut()
	// A handler that respects its context ends now.
	timer.Reset(leaveTime)
	select {
	case <-quiet:
		return nil
	case <-timer.C:
		return fmt.Errorf("drain: %w", ErrDrainTimeout)
	}
}

// notice has watchLane look at the lane. The notice that a lane is detached is not
// believed: another service can have the server send one.
func (d *driver) notice() {
	select {
	case d.noticed <- struct{}{}:
	default:
	}
}

// watchLane ends serve when the lane is detached, or when no interest is registered
// and no event is left.
func (d *driver) watchLane(ctx context.Context) {
	every := time.NewTicker(describeEvery)
	defer every.Stop()
	rested := time.NewTimer(noticeEvery)
	defer rested.Stop()
	for {
		asked, cancel := context.WithTimeout(ctx, d.s.client.cfg.Timeout)
		status, err := d.s.client.Describe(asked)
		cancel()
		switch {
		case err == nil && status.State == StateDetached:
			d.stop(fmt.Errorf("%w: %s", ErrDetached, status.Reason))
		case err == nil && len(status.Entities) == 0 && status.Backlog == 0 && status.State != StateIncompatible:
			d.stop(ErrUnregistered)
		}
		rested.Reset(noticeEvery)
		var noticed <-chan struct{}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				waiting = false
			case <-rested.C:
				noticed = d.noticed
			case <-noticed:
				waiting = false
			case <-d.s.client.closed:
				d.stop(ErrClosed)
				return
			}
		}
	}
}
