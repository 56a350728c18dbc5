package replhub

import (
	"context"
	"errors"
	"slices"

	"github.com/replhub/replhub/internal/queue"
)

// BatchHandler handles several deliveries at once, in one transaction for one.
//
// HandleBatch answers for the whole batch. Nil: all are done, and acknowledged after
// it has returned. An error: none is done, so that the handler has to undo what it
// did, as a transaction that is rolled back does. What the error means is as for a
// [Handler]. An outage lets the whole batch wait. Any other error has the batch
// halved, and its halves handled, until the delivery that it is about is alone: that
// one uses up an attempt, is tried again alone, or becomes a dead letter, and the
// others are done. One that waits for another row (database.Waits) is tried again
// together with what has come behind it in its own row. So HandleBatch is called about twice for each halving, 18 times
// for one that fails among 500. Deliveries that come for a second time, after an
// instance died for example, come in smaller batches, from the fourth time on alone.
//
// A batch is what waits when a worker becomes free, shared out evenly over the
// workers: one delivery when one waits, since nothing waits for a batch to fill. It
// has deliveries of one key in their order, and no key is in two batches at a time.
// The slice is the subscriber's again when HandleBatch returns. A panic is caught and
// counts as an error.
type BatchHandler interface {
	HandleBatch(ctx context.Context, batch []*Delivery) error
}

// BatchHandlerFunc is a function as a BatchHandler.
type BatchHandlerFunc func(ctx context.Context, batch []*Delivery) error

// HandleBatch calls f.
func (f BatchHandlerFunc) HandleBatch(ctx context.Context, batch []*Delivery) error {
	return f(ctx, batch)
}

// NewBatchSubscriber is NewSubscriber with a handler of batches. Middleware wraps
// handlers of one delivery and is refused: wrap HandleBatch.
func NewBatchSubscriber(client *Client, sub SubscriberConfig, handler BatchHandler) (*Subscriber, error) {
	switch {
	case handler == nil:
		return nil, errors.New("subscribe: the handler is missing")
	case len(sub.Middleware) > 0:
		return nil, errors.New("subscription: Middleware wraps handlers of one delivery: wrap HandleBatch instead")
	}
	s, err := newSubscriber(client, sub.withDefaults())
	if err != nil {
		return nil, err
	}
	s.batches = handler
	return s, nil
}

// RunBatchSubscriber makes a Subscriber of batches and runs it: it blocks until ctx ends
// or the subscription cannot go on, see Subscriber.Run.
func (c *Client) RunBatchSubscriber(ctx context.Context, sub SubscriberConfig, handler BatchHandler) error {
	s, err := NewBatchSubscriber(c, sub, handler)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// attemptBatch makes an attempt at a batch for its handler, part by part.
func (w *worker) attemptBatch() {
	b := &w.batch
	ctx, cancel := batchContext(b)
	defer cancel()
	for _, j := range b.Jobs {
		jobOf(j).begin(w.s.client.service.String())
	}
	for {
		part := b.Part(ctx.Err() != nil, cutShort)
		if len(part) == 0 {
			return
		}
		err := w.callPart(ctx, part)
		switch {
		case err == nil:
			for _, i := range part {
				w.s.respond(b.Jobs[i].Reply, ackDone)
			}
			b.Handled(part)
		case ctx.Err() != nil:
			b.Cut(part, cutShort)
		case len(part) == 1:
			b.Failed(part[0], w.d.failed(jobOf(b.Jobs[part[0]]), err))
		case metOutage(b, err, part):
			b.Away(part, err)
		default:
			b.Halve(part)
		}
	}
}

// callPart hands a part of the batch to the handler.
func (w *worker) callPart(ctx context.Context, part []int) error {
	deliveries := w.deliveries[:0]
	for _, i := range part {
		deliveries = append(deliveries, &jobOf(w.batch.Jobs[i]).delivery)
	}
	w.deliveries = deliveries
	err := w.s.callBatch(ctx, deliveries)
	clear(deliveries)
	return err
}

// cutShort reports whether the time of a job's handlers is over.
func cutShort(j *queue.Job) bool { return jobOf(j).in.ctx.Err() != nil }

// batchContext ends when that of one of the batch's intakes does.
func batchContext(b *queue.Batch) (context.Context, context.CancelFunc) {
	first := jobOf(b.Jobs[0]).in
	ctx, cancel := context.WithCancel(first.ctx)
	var stops []func() bool
	seen := map[*intake]bool{first: true}
	for _, j := range b.Jobs {
		if in := jobOf(j).in; !seen[in] {
			seen[in] = true
			stops = append(stops, context.AfterFunc(in.ctx, cancel))
		}
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// metOutage reports whether the error of a part is an outage, and not the end of a
// payload that is cut off.
func metOutage(b *queue.Batch, err error, part []int) bool {
	return meaningOf(err, nil) == queue.Unavailable &&
		!slices.ContainsFunc(part, func(i int) bool { return saysNoJSON(err, jobOf(b.Jobs[i]).msg.Data) })
}

// callBatch calls the handler of batches and catches its panics.
func (s *Subscriber) callBatch(ctx context.Context, batch []*Delivery) (err error) {
	defer func() { err = caught(recover(), err) }()
	return s.batches.HandleBatch(ctx, batch)
}
