package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
)

// The operations of a fast-ingest batch, the last but one token of its reply subject
// "<inbox>.<batch>.<flow>.<gap>.<sequence>.<operation>.$FI" (ADR-50).
const (
	fastStart  = ".0.$FI"
	fastAdd    = ".1.$FI"
	fastCommit = ".2.$FI"
)

const (
	// fastFlow is the distance between two answers, in messages, that a batch asks for.
	fastFlow = 500
	// outstandingAnswers bounds the outstanding messages: to the number that this many
	// answers acknowledge.
	outstandingAnswers = 4
	// answersAhead is the room for answers that are not read yet.
	answersAhead = 256
)

// batches makes fast-ingest batches over one subscription. It is used by one goroutine.
type batches struct {
	nc      *nats.Conn
	prefix  string
	sub     *nats.Subscription
	answers chan *nats.Msg
}

func newBatches(nc *nats.Conn) (*batches, error) {
	b := &batches{nc: nc, prefix: nc.NewInbox(), answers: make(chan *nats.Msg, answersAhead)}
	sub, err := nc.ChanSubscribe(b.prefix+".>", b.answers)
	if err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	b.sub = sub
	return b, nil
}

func (b *batches) close() {
	_ = b.sub.Unsubscribe() // a connection that is closed has ended it
}

// batch is one fast-ingest batch.
type batch struct {
	*batches

	id                   string
	reply                string
	sent, stored, window uint64
	over                 bool
	err                  error
}

// fast appends events by a fast-ingest batch. The first message goes out alone: its
// answer shows that the server takes the batch.
func (b *batches) fast(ctx context.Context, a *appender, events []*event) error {
	id := captured.NewID()
	f := &batch{batches: b, id: id, window: 1, reply: b.prefix + "." + id + "." + strconv.Itoa(fastFlow) + ".fail."}
	for i, e := range events {
		op := fastAdd
		switch i {
		case 0:
			op = fastStart
		case len(events) - 1:
			op = fastCommit
		}
		if err := f.until(ctx, func() bool { return f.sent-f.stored < f.window }); err != nil {
			return err
		}
		msg, err := a.message(e, true)
		if err != nil {
			return err
		}
		f.sent++
		msg.Reply = f.reply + strconv.FormatUint(f.sent, 10) + op
		if err := b.nc.PublishMsg(msg); err != nil {
			return err
		}
	}
	if err := f.until(ctx, func() bool { return false }); err != nil {
		return err
	}
	if f.stored != f.sent {
		return fmt.Errorf("%d of %d messages stored", f.stored, f.sent)
	}
	return nil
}

// until takes answers until enough holds or the batch has ended. An end that comes before
// the last message is an error.
func (f *batch) until(ctx context.Context, enough func() bool) error {
	for !enough() {
		if f.over {
			if f.err == nil && f.stored != f.sent {
				f.err = errNoBatch
			}
			return f.err
		}
		select {
		case m := <-f.answers:
			f.take(m)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// take notes an answer. One with a type comes while the batch is open; one without is the
// last.
func (f *batch) take(m *nats.Msg) {
	if !strings.HasPrefix(m.Subject, f.reply) {
		return // of an earlier batch
	}
	var r struct {
		Type   string              `json:"type"`
		Stream string              `json:"stream"`
		Batch  string              `json:"batch"`
		Seq    uint64              `json:"seq"`
		Flow   uint64              `json:"msgs"`
		Count  uint64              `json:"count"`
		Error  *jetstream.APIError `json:"error"`
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		f.over, f.err = true, nats.ErrNoResponders
		return
	}
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return // not an answer that the protocol knows
	}
	switch {
	case r.Type == "ack" && r.Error == nil:
		f.stored = max(f.stored, r.Seq)
		f.window = outstandingAnswers * min(max(r.Flow, 1), fastFlow)
	case r.Error != nil:
		f.over, f.err = true, refusal(r.Error)
	case r.Type != "":
		f.over, f.err = true, errors.New("a message of a batch was lost on the way")
	case r.Stream != contract.StreamIngest || r.Batch != f.id:
		f.over, f.err = true, errNoBatch
	default:
		f.over, f.stored = true, r.Count
	}
}

func refusal(e *jetstream.APIError) error {
	data, err := json.Marshal(map[string]any{"error": e})
	if err != nil {
		return e
	}
	_, err = captured.Stored(data)
	return err
}
