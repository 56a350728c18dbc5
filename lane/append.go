package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/replhub/replhub/marked"
	"github.com/replhub/replhub/wire"
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
	// expected sequence on every message. It stores a prefix.
	Fast Kind = "fast"
)

// ErrFenced: the stream's last sequence is not what the writer expected:
// another writer has been there.
var ErrFenced = errors.New("another writer has appended to the lane")

// appendTimeout bounds the wait for an acknowledgement; afterwards the outcome
// is unknown and the lane is read again.
const appendTimeout = 5 * time.Second

// Appender appends to lanes over one connection. It may be used concurrently
// for different lanes; within one lane its caller appends one batch at a time.
type Appender struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	kind Kind // for more than one message

	prefix string
	sub    *nats.Subscription

	mu      sync.Mutex // guards waiting
	waiting map[string]chan fastReply
}

// NewAppender makes an appender that writes batches in the given kind.
func NewAppender(js jetstream.JetStream, batches Kind) (*Appender, error) {
	nc := js.Conn()
	a := &Appender{nc: nc, js: js, kind: batches, prefix: nc.NewInbox(), waiting: make(map[string]chan fastReply)}
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
		// The connection may be closed already, which ends it as well.
		_ = a.sub.Unsubscribe()
	}
}

// Append puts messages behind the stream's last sequence and returns the kind
// used. After any error the lane must be read again: with ErrFenced somebody
// else has written, with every other error what was stored is unknown.
func (a *Appender) Append(ctx context.Context, stream string, last uint64, msgs []*nats.Msg) (Kind, error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	switch {
	case len(msgs) == 1:
		return Single, a.single(ctx, stream, last, msgs[0])
	case a.kind == Fast:
		return Fast, a.fast(ctx, stream, last, msgs)
	default:
		return Atomic, a.atomic(ctx, stream, last, msgs)
	}
}

// expect sets the server's compare-and-set. There is one way only to append,
// and it goes through here.
func expect(m *nats.Msg, last uint64) {
	m.Header[wire.HeaderExpectedLastSeq] = []string{strconv.FormatUint(last, 10)}
}

func (a *Appender) single(ctx context.Context, stream string, last uint64, m *nats.Msg) error {
	expect(m, last)
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
	return ack.outcome(stream, 0)
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
	expect(msgs[0], last)
	// No acknowledgement of the first message: one round trip is enough.
	_, err := jetstreamext.PublishMsgBatch(ctx, a.js, msgs, jetstreamext.BatchFlowControl{})
	if marked.WrongSequence(err) {
		return fmt.Errorf("append to %s: %w", stream, ErrFenced)
	}
	if err != nil {
		return fmt.Errorf("append %d messages to %s: %w", len(msgs), stream, err)
	}
	return nil
}

// fastReply is any of the answers to a fast-ingest batch: a flow message (has a
// type) or the final acknowledgement.
type fastReply struct {
	Type   string              `json:"type"`
	Stream string              `json:"stream"`
	Seq    uint64              `json:"seq"`
	Batch  string              `json:"batch"`
	Count  int                 `json:"count"`
	Error  *jetstream.APIError `json:"error"`
}

func (r fastReply) outcome(stream string, want int) error {
	switch {
	case r.Error != nil && marked.WrongSequence(r.Error):
		return fmt.Errorf("append to %s: %w", stream, ErrFenced)
	case r.Type == "gap":
		return fmt.Errorf("append to %s: a message of the batch was lost on the way", stream)
	case r.Error != nil:
		return fmt.Errorf("append to %s: %w", stream, r.Error)
	case r.Stream != stream:
		return fmt.Errorf("append to %s: acknowledged by stream %q", stream, r.Stream)
	case want > 0 && r.Count != want:
		return fmt.Errorf("append to %s: %d of %d messages stored", stream, r.Count, want)
	}
	return nil
}

// The operations of a fast-ingest batch, the last but one token of its reply
// subject "<inbox>.<batch>.<flow>.<gap>.<sequence>.<operation>.$FI"
// (nats-server 2.14, stream.go, getFastBatch).
const (
	fastStart  = ".0.$FI"
	fastAdd    = ".1.$FI"
	fastCommit = ".2.$FI"
	fastPing   = ".4.$FI"
)

// fastFlow asks for a flow message only every so many messages; a batch is
// bounded by its block, so flow messages need not be heeded.
const fastFlow = "500"

// fast sends the whole batch at once instead of waiting for the answer to its
// first message: each message carries the sequence that it expects, and the
// batch is over at the first that does not fit or is missing.
func (a *Appender) fast(ctx context.Context, stream string, last uint64, msgs []*nats.Msg) error {
	id := nuid.Next()
	replies := make(chan fastReply, 1)
	a.mu.Lock()
	a.waiting[id] = replies
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.waiting, id)
		a.mu.Unlock()
	}()

	prefix := a.prefix + "." + id + "." + fastFlow + ".fail."
	for i, m := range msgs {
		expect(m, last+uint64(i))
		op := fastAdd
		switch i {
		case 0:
			op = fastStart
		case len(msgs) - 1:
			op = fastCommit
		}
		m.Reply = prefix + strconv.Itoa(i+1) + op
		if err := a.nc.PublishMsg(m); err != nil {
			return fmt.Errorf("append to %s: %w", stream, err)
		}
	}
	reply, err := a.await(ctx, replies, msgs[0].Subject, prefix+strconv.Itoa(len(msgs)))
	if err != nil {
		return fmt.Errorf("append %d messages to %s: %w", len(msgs), stream, err)
	}
	return reply.outcome(stream, len(msgs))
}

// await waits for a batch's end; a ping brings back an answer that was lost.
func (a *Appender) await(ctx context.Context, replies <-chan fastReply, subject, last string) (fastReply, error) {
	ping := time.NewTicker(time.Second)
	defer ping.Stop()
	for {
		select {
		case r := <-replies:
			return r, nil
		case <-ctx.Done():
			return fastReply{}, ctx.Err()
		case <-ping.C:
			if err := a.nc.PublishRequest(subject, last+fastPing, nil); err != nil {
				return fastReply{}, err
			}
		}
	}
}

// receive hands an answer to the batch that waits for it.
func (a *Appender) receive(m *nats.Msg) {
	id, _, _ := strings.Cut(m.Subject[len(a.prefix)+1:], ".")
	a.mu.Lock()
	replies := a.waiting[id]
	a.mu.Unlock()
	if replies == nil {
		return
	}
	var r fastReply
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		r.Error = &jetstream.APIError{Code: 503, Description: "no responders: the stream is gone"}
	} else if err := json.Unmarshal(m.Data, &r); err != nil {
		return // not an answer that the protocol knows
	}
	if r.Type == "ack" {
		return
	}
	// An error, a gap or the end: whichever comes first decides.
	select {
	case replies <- r:
	default:
	}
}
