package replhub

import (
	"context"
	"errors"
	"slices"
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
func NewBatchSubscriber(client *Client, sub Subscription, handler BatchHandler) (*Subscriber, error) {
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

// SubscribeBatch is NewBatchSubscriber and Run.
func (c *Client) SubscribeBatch(ctx context.Context, sub Subscription, handler BatchHandler) error {
	s, err := NewBatchSubscriber(c, sub, handler)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// attemptMany makes an attempt at a batch for its handler.
func (s *Subscriber) attemptMany(b *bundle) {
	ctx, cancel := b.context()
	defer cancel()
	b.away, b.failed = false, nil
	part := make([]int, len(b.jobs))
	for i, j := range b.jobs {
		part[i] = i
		j.begin(s.client.service.String())
	}
	s.handOver(ctx, b, part)
}

// context ends when that of one of the batch's sources does.
func (b *bundle) context() (context.Context, context.CancelFunc) {
	first := b.jobs[0].src
	ctx, cancel := context.WithCancel(first.ctx)
	var stops []func() bool
	seen := map[*source]bool{first: true}
	for _, j := range b.jobs {
		if !seen[j.src] {
			seen[j.src] = true
			stops = append(stops, context.AfterFunc(j.src.ctx, cancel))
		}
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// handOver gives a part of a batch to the handler, and after an error its halves.
// part are places in b.jobs.
func (s *Subscriber) handOver(ctx context.Context, b *bundle, part []int) {
	part = b.allowed(ctx, part)
	if len(part) == 0 {
		return
	}
	deliveries := b.deliveries[:0]
	for _, i := range part {
		deliveries = append(deliveries, &b.jobs[i].delivery)
	}
	b.deliveries = deliveries
	err := s.callBatch(ctx, deliveries)
	clear(deliveries)
	switch {
	case err == nil:
		for _, i := range part {
			s.respond(b.jobs[i].msg.Reply, ackDone)
			b.verdicts[i] = verdict{kind: verdictDone, evidence: evidenceHandled}
		}
	case ctx.Err() != nil:
		b.allowed(ctx, part) // none is
	case len(part) == 1:
		b.note(part[0], s.failed(b.jobs[part[0]], err))
	case b.met(err, part):
		for _, i := range part {
			b.note(i, verdict{kind: verdictStall, err: err})
		}
	default:
		half := len(part) / 2
		s.handOver(ctx, b, part[:half])
		s.handOver(ctx, b, part[half:])
	}
}

// met reports whether the error of a part is an outage, and not the end of a
// payload that is cut off.
func (b *bundle) met(err error, part []int) bool {
	return meaningOf(err, nil) == meansUnavailable &&
		!slices.ContainsFunc(part, func(i int) bool { return saysNoJSON(err, b.jobs[i].msg.Data) })
}

// allowed are those of a part that may be handled: not behind one of their row that
// has failed, and none once something is away or the time is over. The others are
// given back to the desk.
func (b *bundle) allowed(ctx context.Context, part []int) []int {
	ended := ctx.Err() != nil
	may := part[:0:0]
	for _, i := range part {
		j := b.jobs[i]
		switch {
		case ended && j.src.ctx.Err() != nil:
			b.verdicts[i] = verdict{kind: verdictAbandon}
		case ended, b.away, j.line != nil && b.failed[j.row]:
			b.verdicts[i] = verdict{kind: verdictRelease}
		default:
			may = append(may, i)
		}
	}
	return may
}

// note notes what becomes of one that was not handled.
func (b *bundle) note(i int, v verdict) {
	b.verdicts[i] = v
	switch v.kind {
	case verdictDone: // a dead letter: its row goes on
	case verdictStall:
		b.away = true
	case verdictAgain, verdictAbandon, verdictRelease:
		if b.failed == nil {
			b.failed = make(map[row]bool)
		}
		b.failed[b.jobs[i].row] = true
	}
}

// callBatch calls the handler of batches and catches its panics.
func (s *Subscriber) callBatch(ctx context.Context, batch []*Delivery) (err error) {
	defer func() { err = caught(recover(), err) }()
	return s.batches.HandleBatch(ctx, batch)
}
