package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub"
)

// errStopped gives an event back that waited for the endpoint when the subscriber stopped.
var errStopped = errors.New("the endpoint asks for a wait, which is not over")

// ErrGone means that the endpoint has answered 410: it wants no more events.
var ErrGone = errors.New("the endpoint answered 410 Gone: it wants no more events")

// round is the time from one start of the subscriber to its end. The service may be
// paused in between.
type round struct {
	p *Pusher
	// ending is over when the subscriber is to stop. A handler that waits then gives its
	// event back, instead of waiting until it is cut short.
	ending context.Context //nolint:containedctx // handlers have a context of their own, which ends later
	// gone gets the first 410.
	gone chan struct{}
}

// handle delivers one event. It returns when the event has its answer, or the reason why
// it has none; meanwhile the events of its key wait.
func (r *round) handle(ctx context.Context, d *replhub.Delivery) error {
	for {
		alone, err := r.pass(ctx)
		if err != nil {
			return err
		}
		a, err := r.request(ctx, d)
		if err != nil {
			r.p.gate.leave(alone, false)
			return r.noAnswer(ctx, d, err)
		}
		wait, given := retryAfter(a.header, time.Now())
		switch meaningOf(a.status, given) {
		case delivered:
			r.p.gate.leave(alone, true)
			r.p.delivered(d)
			return nil
		case later:
			r.p.shut(alone, a, wait, given)
			r.p.failed(d)
		case refused:
			r.p.gate.leave(alone, true)
			r.p.forget(d)
			return replhub.Park(errors.New(a.text()))
		case gone:
			r.p.gate.leave(alone, false)
			r.p.failed(d)
			r.endIsNear()
			return replhub.Unavailable(ErrGone)
		case away:
			r.p.gate.leave(alone, true)
			r.p.failed(d)
			return replhub.Unavailable(errors.New(a.text()))
		}
	}
}

// pass waits at the gate until the event's request may be made.
func (r *round) pass(ctx context.Context) (alone bool, err error) {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(r.ending, func() { stop(errStopped) })()
	if r.isGone() {
		<-waiting.Done() // the service is being paused, and this round ends then
	}
	alone, err = r.p.gate.pass(waiting)
	if err != nil && alone {
		r.p.gate.leave(true, false)
	}
	switch {
	case err == nil:
		return alone, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case r.isGone():
		return false, replhub.Unavailable(ErrGone)
	default:
		return false, replhub.Unavailable(errStopped)
	}
}

// request makes one request, and tells what became of it.
func (r *round) request(ctx context.Context, d *replhub.Delivery) (*answer, error) {
	repeated := r.p.wasTried(d)
	began := time.Now()
	a, err := r.p.endpoint.post(ctx, d, r.p.keysNow())
	told := Request{Entity: d.Entity, Err: err, Took: time.Since(began), Repeated: repeated}
	if a != nil {
		told.Status = a.status
	}
	if ctx.Err() == nil {
		r.p.count(told)
	}
	return a, err
}

// noAnswer is what a request without an answer means: the endpoint, or the way to it, is
// away.
func (r *round) noAnswer(ctx context.Context, d *replhub.Delivery, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // cut short
	}
	r.p.failed(d)
	return replhub.Unavailable(fmt.Errorf("request %s: %w%s", r.p.endpoint.name(), err, adviceOn(err)))
}

// endIsNear notes the first 410 of the round.
func (r *round) endIsNear() {
	select {
	case r.gone <- struct{}{}:
		r.p.gone.Store(true)
	default:
	}
}

func (r *round) isGone() bool { return r.p.gone.Load() }
