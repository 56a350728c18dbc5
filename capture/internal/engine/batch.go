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
	fastStart = ".0.$FI"
	fastAdd   = ".1.$FI"
	fastEnd   = ".3.$FI" // a commit without a message
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

// batch is one fast-ingest batch. It stays open while events keep coming, so that nothing
// waits for the events before. The server stores a prefix of what is sent.
type batch struct {
	*batches

	id                   string
	reply                string
	sent, stored, window uint64
	bytes                int    // of the messages that were sent
	subject              string // the last one, for the command that ends the batch
	ending               bool
	over                 bool
	err                  error
}

func (b *batches) open() *batch {
	id := captured.NewID()
	return &batch{batches: b, id: id, window: 1, reply: b.prefix + "." + id + "." + strconv.Itoa(fastFlow) + ".fail."}
}

// send appends a message, once there is room for it. The first message goes out alone:
// its answer shows that the server takes the batch.
func (f *batch) send(ctx context.Context, msg *nats.Msg) error {
	f.drain()
	if f.over || !f.room() {
		if err := f.until(ctx, f.room); err != nil {
			return err
		}
	}
	op := fastAdd
	if f.sent == 0 {
		op = fastStart
	}
	f.sent++
	f.bytes += msg.Size()
	f.subject = msg.Subject
	msg.Reply = f.reply + strconv.FormatUint(f.sent, 10) + op
	return f.nc.PublishMsg(msg)
}

// settle ends the batch, and returns once all of it is stored.
func (f *batch) settle(ctx context.Context) error {
	f.ending = true
	if err := f.nc.PublishRequest(f.subject, f.reply+strconv.FormatUint(f.sent+1, 10)+fastEnd, nil); err != nil {
		return err
	}
	return f.until(ctx, func() bool { return f.over && f.err == nil && f.stored == f.sent })
}

// room reports whether another message may be outstanding.
func (f *batch) room() bool { return f.sent-f.stored < f.window }

// drain takes the answers that are there.
func (f *batch) drain() {
	for {
		select {
		case m := <-f.answers:
			f.take(m)
		default:
			return
		}
	}
}

// until takes answers until enough holds. An end of the batch before that is an error.
func (f *batch) until(ctx context.Context, enough func() bool) error {
	for {
		switch {
		case f.over && f.err != nil:
			return f.err
		case f.over && (!f.ending || f.stored != f.sent):
			return errNoBatch
		case enough():
			return nil
		}
		select {
		case m := <-f.answers:
			f.take(m)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take notes an answer. One with a type comes while the batch is open; one without is the
// last.
func (f *batch) take(m *nats.Msg) {
	if f.over || !strings.HasPrefix(m.Subject, f.reply) {
		return // of an earlier batch, or to a message behind the one that ended this batch
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
