package replhub

import (
	"context"
	"sync/atomic"
	"time"
)

// PublishAll publishes events one behind the other, without an acknowledgement for
// each. On one connection this is several times as fast as PublishBatch. It returns
// as PublishBatch does: the acknowledgements are those of the leading events that are
// stored, the error, a *PublishError, is that of the first event not known to be
// stored, and events without an id are given one. Where the server acknowledged
// several events at once, their Acks have neither Seq nor Duplicate. The first
// event's Ack always has both, and where the first event is a duplicate, all Acks do.
//
// The order of all events holds as long as none is refused; the order of one key
// always holds. Events that other calls publish of the same keys at the same time
// have no order relative to these.
//
// It needs nats-server 2.14. Where the server does not support batches, and for the
// rest of a batch that broke off, it falls back to PublishBatch, which finds out the
// outcome of each event: the server recognises an event that is already stored by its
// id.
func (c *Client) PublishAll(ctx context.Context, events []Event) ([]Ack, error) {
	if len(events) == 0 {
		return nil, nil
	}
	giveIDs(events)
	w := c.watch(ctx, events)
	o := c.publishAll(ctx, w.events)
	w.ended(o)
	return o.leading()
}

// publishAll publishes events with ids, in batches where that is quicker.
func (c *Client) publishAll(ctx context.Context, events []Event) outcomes {
	if len(events) < fewestInBatch || !c.batches.allowed() {
		return c.publishEach(ctx, events)
	}
	// The first event's acknowledgement tells whether it was stored before. If it
	// was, later events may have been as well, which a batch does not report.
	first, err := c.publish(ctx, events[0])
	if err != nil {
		o := newOutcomes(len(events))
		o.errs[0] = err
		for i := 1; i < len(events); i++ {
			o.errs[i] = publishError(&events[i], errHeld, false)
		}
		return o
	}
	var o outcomes
	o.stored([]Ack{first})
	for goOn := !first.Duplicate; goOn && len(o.acks) < len(events); {
		var stored []Ack
		stored, goOn = c.publishTogether(ctx, events[len(o.acks):])
		o.stored(stored)
	}
	if len(o.acks) < len(events) {
		o.add(c.publishEach(ctx, events[len(o.acks):]))
	}
	return o
}

// fewestInBatch is the number of events for which a batch, which takes three round
// trips, is quicker than an acknowledgement for each.
const fewestInBatch = 8

// batchesAgain is the time after which a batch is tried again with a server that did
// not support batches: it may have been upgraded.
const batchesAgain = time.Minute

// batchState says whether ingest accepts batches, as far as is known. With the zero
// batchState, a batch is tried.
type batchState struct{ refused atomic.Int64 }

func (s *batchState) allowed() bool {
	at := s.refused.Load()
	return at == 0 || time.Since(time.Unix(0, at)) > batchesAgain
}

func (s *batchState) refuse() { s.refused.Store(time.Now().UnixNano()) }

// publishTogether publishes the leading events that fit into one batch. It returns
// the acknowledgements of those known to be stored, and whether another batch may
// follow for the rest.
func (c *Client) publishTogether(ctx context.Context, events []Event) (acks []Ack, goOn bool) {
	if c.inflight.begin() != nil {
		return nil, false // PublishBatch says why
	}
	defer c.inflight.end()
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.PublishTimeout, errPublishTimeout)
	defer cancel()
	b, err := c.openBatch()
	if err != nil {
		return nil, false
	}
	defer b.close()
	whole := b.publish(ctx, events)
	if b.single || b.disabled {
		c.batches.refuse()
	}
	return b.acks(), whole
}
