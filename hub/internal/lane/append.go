package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/internal/contract"
)

// Kind is how messages are appended to a lane.
type Kind string

// The kinds of append. Each has one outcome for the lane: a prefix of the
// messages is stored behind the expected last sequence, or nothing is.
const (
	// Single is one message and its acknowledgement.
	Single Kind = "single"
	// Atomic is one atomic batch, the expected sequence on its first message.
	Atomic Kind = "atomic"
	// Fast is one fast-ingest batch that ends at its first refusal, the
	// expected sequence on every message. It stores a prefix. It may stay open
	// and grow, see Open.
	Fast Kind = "fast"
)

// ErrFenced means that the stream's last sequence is not the one that the writer
// expected, because another writer has appended.
var ErrFenced = errors.New("another writer has appended to the lane")

// Appender appends to lanes over one connection. It may be used concurrently
// for different lanes; within one lane its caller appends one batch at a time.
type Appender struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	kind Kind // for more than one message

	prefix string
	sub    *nats.Subscription

	mu   sync.Mutex // guards open
	open map[string]*OpenAppend
}

// Message is a message to append: see package core.
type Message = core.Message

// own makes a message with headers of its own.
func own(m Message) *nats.Msg {
	return &nats.Msg{Subject: m.Subject, Header: m.Header.Clone(), Data: m.Data}
}

// NewAppender makes an appender that writes batches in the given kind.
func NewAppender(js jetstream.JetStream, batches Kind) (*Appender, error) {
	nc := js.Conn()
	a := &Appender{nc: nc, js: js, kind: batches, prefix: nc.NewInbox(), open: make(map[string]*OpenAppend)}
	if batches != Fast {
		return a, nil
	}
	sub, err := nc.Subscribe(a.prefix+".>", a.receive)
	if err != nil {
		return nil, fmt.Errorf("subscribe to append acknowledgements: %w", err)
	}
	a.sub = sub
	return a, nil
}

// Close ends the appender.
func (a *Appender) Close() {
	if a.sub != nil {
		// The connection may already be closed, which also ends the subscription.
		_ = a.sub.Unsubscribe()
	}
}

// Append puts messages behind the stream's last sequence and returns the kind used.
// After any error the lane must be read again: at ErrFenced another writer has
// appended, and at every other error it is unknown what was stored. ctx needs a
// deadline, because an answer may be lost.
func (a *Appender) Append(ctx context.Context, stream string, last uint64, msgs []Message) (Kind, error) {
	switch {
	case len(msgs) == 1:
		return Single, a.single(ctx, stream, last, own(msgs[0]))
	case a.kind == Fast:
		b := a.Open(stream, last, func() {})
		defer b.Drop()
		return Fast, b.SendLast(ctx, msgs)
	default:
		all := make([]*nats.Msg, len(msgs))
		for i, m := range msgs {
			all[i] = own(m)
		}
		return Atomic, a.atomic(ctx, stream, last, all)
	}
}

// expected is the server's compare-and-set, contract.HeaderExpectedLastSeq. Every
// append goes through here.
func expected(last uint64) []string {
	return []string{strconv.FormatUint(last, 10)}
}

func (a *Appender) single(ctx context.Context, stream string, last uint64, m *nats.Msg) error {
	m.Header[contract.HeaderExpectedLastSeq] = expected(last)
	reply, err := a.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return fmt.Errorf("append to %s: %w", stream, err)
	}
	if stored(reply.Data, stream) {
		return nil
	}
	var ack fastReply
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return fmt.Errorf("append to %s: decode the acknowledgement: %w", stream, err)
	}
	return ack.outcome(stream)
}

// stored recognises the server's usual acknowledgement without decoding it: at
// a thousand events a second, decoding was a seventh of the hub's work. Every
// other answer is decoded.
func stored(ack []byte, stream string) bool {
	const begin, middle = `{"stream":"`, `","seq":`
	return len(ack) > len(begin)+len(stream)+len(middle) && string(ack[:len(begin)]) == begin &&
		string(ack[len(begin):len(begin)+len(stream)]) == stream &&
		string(ack[len(begin)+len(stream):len(begin)+len(stream)+len(middle)]) == middle
}

func (a *Appender) atomic(ctx context.Context, stream string, last uint64, msgs []*nats.Msg) error {
	msgs[0].Header[contract.HeaderExpectedLastSeq] = expected(last)
	// No acknowledgement of the first message: one round trip is enough.
	_, err := jetstreamext.PublishMsgBatch(ctx, a.js, msgs, jetstreamext.BatchFlowControl{})
	if hubstream.WrongSequence(err) {
		return fmt.Errorf("append to %s: %w", stream, ErrFenced)
	}
	if err != nil {
		return fmt.Errorf("append %d messages to %s: %w", len(msgs), stream, err)
	}
	return nil
}
