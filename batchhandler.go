package replhub

import (
	"context"
	"errors"
	"slices"

	"github.com/replhub/replhub/internal/queue"
)

// BatchHandler handles several deliveries at once, for example in one transaction.
//
// HandleBatch answers for the whole batch. Nil means that all deliveries are done;
// they are acknowledged after it returns. An error means that no delivery is done:
// the handler must undo its work, as a rolled-back transaction does. Errors mean the
// same as for a [Handler]. At an outage the whole batch waits. At any other error the
// subscriber halves the batch and hands over the halves, until the delivery at fault
// is alone. That delivery uses up an attempt, is tried again alone, or becomes a dead
// letter; the others are done. A delivery that waits for another row (database.Waits)
// is tried again together with the later deliveries of its own row. HandleBatch is
// called about twice for each halving: 18 times when one delivery among 500 fails.
// Redeliveries, for example after an instance died, come in smaller batches, and from
// the fourth delivery on alone.
//
// When a worker becomes free, its batch is an even share of the deliveries that wait.
// The subscriber does not wait for a batch to fill: when one delivery waits, the
// batch has one delivery. Deliveries of one key are in order, and no key is in two
// batches at a time. The slice must not be used after HandleBatch has returned. A
// panic is caught and counts as an error.
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

// RunBatchSubscriber makes a Subscriber of batches and runs it. It blocks until ctx
// ends or the subscription cannot continue; see Subscriber.Run.
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
			w.d.acknowledge(b.Of(part)...)
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

// cutShort reports whether the time of a job's handlers is over, so that their
// context has ended.
func cutShort(j *queue.Job) bool { return jobOf(j).in.ctx.Err() != nil }

// batchContext ends when the context of one of the batch's intakes ends.
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

// metOutage reports whether the error of a part is an outage. The unexpected end of a
// truncated payload is not.
func metOutage(b *queue.Batch, err error, part []int) bool {
	return meaningOf(err, nil) == queue.Unavailable &&
		!slices.ContainsFunc(part, func(i int) bool { return saysNoJSON(err, jobOf(b.Jobs[i]).msg.Data) })
}

// callBatch calls the handler of batches and catches its panics.
func (s *Subscriber) callBatch(ctx context.Context, batch []*Delivery) (err error) {
	defer func() { err = caught(recover(), err) }()
	return s.batches.HandleBatch(ctx, batch)
}
