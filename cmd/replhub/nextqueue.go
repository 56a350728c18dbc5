package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// pullTime is how long one request for a copy stands. It bounds how late the end
// of the wait, or Ctrl-C, is noticed: a request that is given up could have a
// copy sent to nobody.
const pullTime = 300 * time.Millisecond

// plainQueue is a queue without an order: instances compete for every copy.
type plainQueue struct {
	connection *connection
	consumer   jetstream.Consumer
	held       heldCopies
}

func (q *plainQueue) next(ctx context.Context) (jetstream.Msg, error) {
	for ctx.Err() == nil {
		q.held.extend(q.consumer.CachedInfo().Config.AckWait)
		m, err := fetchOne(q.consumer)
		if err != nil && !isDoubt(err) {
			return nil, err
		}
		if m != nil && !q.held.has(m) {
			return m, nil
		}
	}
	return nil, context.Cause(ctx)
}

func (q *plainQueue) ack(ctx context.Context, m jetstream.Msg) error {
	return acknowledge(ctx, m, q.connection.timeout)
}

func (q *plainQueue) keep(m jetstream.Msg) { q.held.add(m) }

func (q *plainQueue) nothing(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, q.connection.timeout)
	defer cancel()
	info, err := q.consumer.Info(ctx)
	switch {
	case err != nil:
		return "the queue does not say why"
	case info.Paused:
		return "the workers are paused; see replhub resume"
	case info.NumPending+uint64(info.NumAckPending) == 0:
		return "none waits"
	default:
		return fmt.Sprintf("%d wait, and %d are with other instances", info.NumPending, info.NumAckPending)
	}
}

func (q *plainQueue) close() error {
	return q.held.giveBack(q.connection)
}

// acknowledge waits until the server has the acknowledgement.
func acknowledge(ctx context.Context, m jetstream.Msg, timeout time.Duration) error {
	// Ctrl-C must not leave open whether the copy comes again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	return m.DoubleAck(ctx)
}

// isDoubt reports whether an error of a fetch says only that the server is not
// where it was, or that the pin is another's: asked again, it answers.
func isDoubt(err error) bool {
	return errors.Is(err, jetstream.ErrPinIDMismatch) || errors.Is(err, jetstream.ErrConsumerLeadershipChanged) ||
		errors.Is(err, jetstream.ErrServerShutdown)
}

// fetchOne asks for one copy, and gives nil where none comes soon.
func fetchOne(consumer jetstream.Consumer, options ...jetstream.FetchOpt) (jetstream.Msg, error) {
	got, err := fetch(consumer, 1, options...)
	if len(got) == 0 {
		return nil, err
	}
	return got[0], nil
}

// fetch asks for some copies, and gives those that come soon.
func fetch(consumer jetstream.Consumer, most int, options ...jetstream.FetchOpt) ([]jetstream.Msg, error) {
	batch, err := consumer.Fetch(most, append(options, jetstream.FetchMaxWait(pullTime))...)
	if err != nil {
		return nil, fmt.Errorf("take the next copy: %w", err)
	}
	var got []jetstream.Msg
	for m := range batch.Messages() {
		got = append(got, m)
	}
	if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrNoMessages) {
		return got, fmt.Errorf("take the next copy: %w", err)
	}
	return got, nil
}

// heldCopies are copies that were taken and are not acknowledged.
type heldCopies struct {
	copies   []jetstream.Msg
	extended time.Time
}

func (h *heldCopies) add(m jetstream.Msg) { h.copies = append(h.copies, m) }

// has reports whether a delivery is one of a copy that is held; the later one is
// then what is answered.
func (h *heldCopies) has(m jetstream.Msg) bool {
	for i, known := range h.copies {
		if sequenceOf(known) == sequenceOf(m) {
			h.copies[i] = m
			return true
		}
	}
	return false
}

// extend keeps the server from giving what is held to others, when a quarter of
// the ack wait has passed.
func (h *heldCopies) extend(ackWait time.Duration) {
	if time.Since(h.extended) < ackWait/4 {
		return
	}
	h.extended = time.Now()
	for _, m := range h.copies {
		_ = m.InProgress() // what is lost has the copy delivered again
	}
}

// giveBack makes the server redeliver all held copies, in the lane's order. It waits
// until the server has taken the last one back, and so the earlier ones: the next
// request then gets the first copy.
func (h *heldCopies) giveBack(l *connection) error {
	slices.SortFunc(h.copies, bySequence)
	copies := h.copies
	h.copies = nil
	for i, m := range copies {
		if i < len(copies)-1 {
			_ = m.Nak() // what is lost comes again all the same, after the ack wait
			continue
		}
		if _, err := l.nc.Request(m.Reply(), []byte("-NAK"), l.timeout); err != nil {
			return fmt.Errorf("return the copies that were shown: %w; they are delivered again after the queue's ack_wait", err)
		}
	}
	return nil
}

// sequenceOf is a copy's sequence in its lane.
func sequenceOf(m jetstream.Msg) uint64 {
	meta, err := m.Metadata()
	if err != nil {
		return 0 // no delivery of JetStream's; showing it tells
	}
	return meta.Sequence.Stream
}

func bySequence(a, b jetstream.Msg) int {
	switch x, y := sequenceOf(a), sequenceOf(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	default:
		return 0
	}
}
