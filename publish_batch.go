package replhub

import (
	"context"
	"sync"
	"sync/atomic"
)

// PublishBatch publishes events, Config.MaxPending at a time, and returns when no
// event is under way. The acknowledgements are those of the leading events that are
// stored. The error, a *PublishError, is that of the first event not known to be
// stored. After that event, events of the same key were not sent; events of other
// keys may be stored.
//
// An event without an id is given one in the slice. The rest of a failed batch,
// events[len(acks):], can therefore be published again as it is: events already
// stored come back as duplicates, and the order of each key holds.
func (c *Client) PublishBatch(ctx context.Context, events []Event) ([]Ack, error) {
	if len(events) == 0 {
		return nil, nil
	}
	giveIDs(events)
	w := c.watch(ctx, events)
	o := c.publishEach(ctx, w.events)
	w.ended(o)
	return o.leading()
}

// giveIDs gives an id to each event without one.
func giveIDs(events []Event) {
	for i := range events {
		if events[i].ID == "" {
			events[i].ID = newID()
		}
	}
}

// publishEach publishes events with ids, with an acknowledgement for each.
func (c *Client) publishEach(ctx context.Context, events []Event) outcomes {
	o := newOutcomes(len(events))
	if err := c.inflight.begin(); err != nil {
		for i := range events {
			o.errs[i] = publishError(&events[i], err, false)
		}
		return o
	}
	defer c.inflight.end()
	b := &batchPublish{client: c, events: events, outcomes: o}
	b.first.Store(int64(len(events)))
	var workers sync.WaitGroup
	for range min(len(events), c.cfg.MaxPending) {
		workers.Go(func() { b.work(ctx) })
	}
	workers.Wait()
	for i := b.next; i < len(events); i++ {
		if o.errs[i] == nil {
			o.errs[i] = publishError(&events[i], errHeld, false) // it was not begun
		}
	}
	return o
}

// batchPublish is one call of PublishBatch under way. Each worker writes the outcomes of its own
// events alone.
type batchPublish struct {
	outcomes

	client *Client
	events []Event
	first  atomic.Int64 // the least index that failed; the length while none did

	mu   sync.Mutex // guards next, and has events enter their rows in order
	next int
}

// work publishes one event after the other until none is left, or until no further
// event may begin.
func (b *batchPublish) work(ctx context.Context) {
	for {
		i, p := b.take(ctx)
		if p == nil {
			return
		}
		b.publish(ctx, i, p)
	}
}

// take returns the next event with its place in its row's order; nil when there is
// none.
func (b *batchPublish) take(ctx context.Context) (int, *parcel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.next
	if i == len(b.events) || b.held(i) {
		return i, nil
	}
	b.next++
	p, err := b.client.admit(ctx, b.events[i])
	if err != nil {
		b.fail(i, err)
		return i, nil
	}
	return i, p
}

func (b *batchPublish) publish(ctx context.Context, i int, p *parcel) {
	defer b.client.leave()
	// The failure is known before the next event of the row begins.
	defer p.place.leave()
	ack, err := b.client.deliver(ctx, p, func() bool { return b.held(i) })
	if err != nil {
		b.fail(i, err)
		return
	}
	b.acks[i] = ack
}

// held reports whether an event before i has failed.
func (b *batchPublish) held(i int) bool { return int64(i) > b.first.Load() }

func (b *batchPublish) fail(i int, err error) {
	b.errs[i] = err
	for {
		first := b.first.Load()
		if first <= int64(i) || b.first.CompareAndSwap(first, int64(i)) {
			return
		}
	}
}
