package replhub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

// Ack acknowledges an event: the event is stored in ingest, as durably as that
// stream's replicas and sync setting make it.
type Ack struct {
	// Seq is the event's sequence in ingest; "replhub explain" takes it.
	Seq uint64
	// Duplicate says that an event with this id was already stored; Seq is then that
	// event's sequence.
	Duplicate bool
}

// Publish returns once the event is stored. When no answer comes, the connection is
// lost or the stream has no leader, Publish tries again under the same id, until
// Config.PublishTimeout or ctx ends. An error is a *PublishError.
//
// One client publishes the events of one key one after the other, in the order of the
// calls of Publish, PublishAsync and PublishBatch. It sends the next event when the
// one before is stored or has failed, so a retry does not change the order. Two
// exceptions remain: an event that failed with ErrUnknownOutcome may be stored a
// little later, and an event that the caller publishes again comes after the events
// in between. With Event.Version set, a replica applies both correctly.
func (c *Client) Publish(ctx context.Context, ev Event) (Ack, error) {
	if c.cfg.OnPublish == nil {
		return c.publish(ctx, ev)
	}
	done := c.announce(ctx, &ev)
	ack, err := c.publish(ctx, ev)
	if done != nil {
		done(ack, err)
	}
	return ack, err
}

func (c *Client) publish(ctx context.Context, ev Event) (Ack, error) {
	if err := c.inflight.begin(); err != nil {
		return Ack{}, publishError(&ev, err, false)
	}
	defer c.inflight.end()
	p, err := c.prepare(ctx, ev)
	if err != nil {
		return Ack{}, err
	}
	defer p.place.leave()
	return c.deliver(ctx, p, neverHeld)
}

// parcel is an event on its way.
type parcel struct {
	event Event // with its id
	msg   *nats.Msg
	place *place // its place among the events of its row
}

// prepare checks an event and takes a place in its row's order. The caller gives the
// place up with place.leave.
func (c *Client) prepare(ctx context.Context, ev Event) (*parcel, error) {
	p := &parcel{event: ev}
	var err error
	if p.msg, err = c.encode(ctx, &p.event); err != nil {
		return nil, publishError(&p.event, err, false)
	}
	p.place = c.order.enter(rowKey{ev.Entity, KeyOf(ev)})
	return p, nil
}

var (
	errPublishTimeout = errors.New("the time for publishing is over")
	errHeld           = errors.New("not sent, because an event before it in the batch failed")
)

func neverHeld() bool { return false }

// deliver waits until the parcel is the first of its row and sends it, unless it is held by then.
func (c *Client) deliver(ctx context.Context, p *parcel, held func() bool) (Ack, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.PublishTimeout, errPublishTimeout)
	defer cancel()
	if err := p.place.wait(ctx, c.closed); err != nil {
		if errors.Is(err, errPublishTimeout) {
			err = fmt.Errorf("%w: an event of the same key takes longer than %s", ErrUnavailable, c.cfg.PublishTimeout)
		}
		return Ack{}, publishError(&p.event, err, false)
	}
	if held() {
		return Ack{}, publishError(&p.event, errHeld, false)
	}
	return c.send(ctx, p)
}

// The time between attempts doubles from the first to the last: a stream that
// has lost its leader has another within seconds.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// send makes attempts. Once an outcome is in doubt, it stays in doubt until an
// acknowledgement comes: the refusal of a later attempt does not undo an earlier one.
func (c *Client) send(ctx context.Context, p *parcel) (Ack, error) {
	doubt := false
	var last error
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		ack, out := c.attempt(ctx, p.msg)
		if out.kind == answered {
			return ack, nil
		}
		doubt = doubt || out.doubt
		if out.kind == ended {
			return Ack{}, c.gaveUp(p, last, out.err, doubt)
		}
		if errors.Is(out.err, nats.ErrNoResponders) {
			out = c.whyNoResponders(ctx, p.msg.Subject)
		}
		if out.kind == refused {
			return Ack{}, publishError(&p.event, out.err, doubt)
		}
		last = out.err
		if out.kind == lost {
			continue // the connection is back, so there is no need to wait
		}
		if err := c.rest(ctx, wait); err != nil {
			return Ack{}, c.gaveUp(p, last, err, doubt)
		}
	}
}

// rest waits between attempts, between half and all of d.
func (c *Client) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.closed:
		return ErrClosed
	}
}

// gaveUp is the error of an event that was not refused for good. end is what ended
// the attempts; last is the outcome of the last attempt, if any.
func (c *Client) gaveUp(p *parcel, last, end error, doubt bool) error {
	if last == nil {
		last = errNoAnswer
	}
	err := fmt.Errorf("tried for %s: %w", c.cfg.PublishTimeout, last)
	switch {
	case !errors.Is(end, errPublishTimeout):
		err = fmt.Errorf("%w, after %w", end, last)
	case !doubt:
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return publishError(&p.event, err, doubt)
}

func publishError(ev *Event, err error, unknown bool) error {
	return &PublishError{Entity: ev.Entity, Op: ev.Op, Key: ev.Key, ID: ev.ID, Unknown: unknown, Err: err}
}
