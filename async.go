package replhub

import "context"

// Pending is an event of PublishAsync.
type Pending struct {
	id   string
	done chan struct{}
	// ack and err are set before done is closed.
	ack Ack
	err error
}

// ID is the event's id.
func (p *Pending) ID() string { return p.id }

// Done is closed when the event is stored or has failed.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait returns what Publish would have returned. If the context ends first, it
// returns the context's error, and the event stays under way.
func (p *Pending) Wait(ctx context.Context) (Ack, error) {
	select {
	case <-p.done:
		return p.ack, p.err
	case <-ctx.Done():
		return Ack{}, context.Cause(ctx)
	}
}

// PublishAsync begins to publish an event and returns before it is stored; the
// Pending tells the outcome. PublishAsync waits while Config.MaxPending events are
// under way. ctx bounds only this wait; Config.PublishTimeout bounds the event
// itself. An error is a *PublishError and means that nothing was sent. The payload
// and the headers must not change until the event is done.
func (c *Client) PublishAsync(ctx context.Context, ev Event) (*Pending, error) {
	var done func(Ack, error)
	if c.cfg.OnPublish != nil {
		done = c.announce(ctx, &ev)
	}
	if done == nil {
		done = func(Ack, error) {}
	}
	if err := c.inflight.begin(); err != nil {
		err = publishError(&ev, err, false)
		done(Ack{}, err)
		return nil, err
	}
	p, err := c.admit(ctx, ev)
	if err != nil {
		c.inflight.end()
		done(Ack{}, err)
		return nil, err
	}
	pending := &Pending{id: p.event.ID, done: make(chan struct{})}
	// Close waits for it through inflight.
	go func() {
		defer c.inflight.end()
		defer c.leave()
		defer close(pending.done)
		defer func() { done(pending.ack, pending.err) }()
		defer p.place.leave()
		pending.ack, pending.err = c.deliver(context.WithoutCancel(ctx), p, neverHeld)
	}()
	return pending, nil
}

// admit waits for room and prepares an event. The caller gives the room back with
// leave.
func (c *Client) admit(ctx context.Context, ev Event) (*parcel, error) {
	select {
	case c.room <- struct{}{}:
	case <-ctx.Done():
		return nil, publishError(&ev, context.Cause(ctx), false)
	case <-c.closed:
		return nil, publishError(&ev, ErrClosed, false)
	}
	p, err := c.prepare(ctx, ev)
	if err != nil {
		c.leave()
	}
	return p, err
}

// leave gives the room of one event back.
func (c *Client) leave() { <-c.room }
