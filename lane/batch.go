package lane

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/marked"
	"github.com/replhub/replhub/wire"
)

// Batch is one fast-ingest append that is open: messages go out without waiting
// for those before them. Each carries the sequence that it expects, and the
// server ends the batch at the first that does not fit or is missing, so
// however much is on its way, a prefix is stored and nothing behind it.
//
// A batch belongs to one goroutine. After any error it is over, and the lane
// must be read again.
type Batch struct {
	a      *Appender
	id     string
	stream string
	// subject is one of the stream's, for words to the server about the batch.
	subject string
	reply   string // what the reply subjects begin with
	// expect is the last sequence that the next message states, sent how many
	// messages the batch has.
	expect, sent uint64
	out          nats.Msg // the message being sent: one for all

	// Written by the connection's goroutine.
	stored atomic.Uint64 // how many messages the server has said are stored
	// ending is set once the batch is told to end: before that, any end is a
	// failure.
	ending atomic.Bool
	moved  chan struct{} // stored has grown
	result error         // of the batch, once over is closed
	over   chan struct{}
	onFail func()
}

// The operations of a fast-ingest batch, the last but one token of its reply
// subject "<inbox>.<batch>.<flow>.<gap>.<sequence>.<operation>.$FI"
// (nats-server 2.14, stream.go, getFastBatch). The server forgets a batch that
// is idle for 10 s.
const (
	fastStart  = ".0.$FI"
	fastAdd    = ".1.$FI"
	fastCommit = ".2.$FI"
	fastEnd    = ".3.$FI" // a commit that is no message itself
	fastPing   = ".4.$FI"
)

// fastFlow asks the server to say how far it is at least every so many messages.
const fastFlow = "500"

// maxUnstored bounds what a batch has on its way when it sends more, so about
// twice as much together: the next block is with the server before the last one
// is stored. It is more than fastFlow, or the server would not say.
const maxUnstored = 1000

// Open begins a batch behind the stream's last sequence. onFail is called when
// the server ends the batch, on a goroutine that must not be held up. Drop must
// be called in the end.
func (a *Appender) Open(stream string, last uint64, onFail func()) *Batch {
	b := &Batch{
		a: a, id: nuid.Next(), stream: stream, expect: last, onFail: onFail,
		moved: make(chan struct{}, 1), over: make(chan struct{}),
	}
	b.reply = a.prefix + "." + b.id + "." + fastFlow + ".fail."
	a.mu.Lock()
	a.open[b.id] = b
	a.mu.Unlock()
	return b
}

// Drop forgets a batch, whatever became of it.
func (b *Batch) Drop() {
	b.a.mu.Lock()
	delete(b.a.open, b.id)
	b.a.mu.Unlock()
}

// Unstored is how many messages were sent and not yet said to be stored.
func (b *Batch) Unstored() int { return int(b.sent - b.stored.Load()) }

// Err is why the server has ended the batch; nil while it has not.
func (b *Batch) Err() error {
	select {
	case <-b.over:
		return b.result
	default:
		return nil
	}
}

// Send appends messages without waiting for them to be stored. It waits while
// too many others are on their way.
func (b *Batch) Send(ctx context.Context, msgs []Message) error {
	if err := b.await(ctx, maxUnstored); err != nil {
		return err
	}
	return b.publish(msgs, false)
}

// SendLast appends messages, the last of the batch, and returns once all of it
// is stored.
func (b *Batch) SendLast(ctx context.Context, msgs []Message) error {
	b.ending.Store(true)
	if err := b.publish(msgs, true); err != nil {
		return err
	}
	return b.finish(ctx)
}

// Settle ends the batch and returns once all of it is stored.
func (b *Batch) Settle(ctx context.Context) error {
	if b.sent == 0 {
		return nil
	}
	b.ending.Store(true)
	if err := b.a.nc.PublishRequest(b.subject, b.replyTo(b.sent+1, fastEnd), nil); err != nil {
		return fmt.Errorf("append to %s: %w", b.stream, err)
	}
	return b.finish(ctx)
}

func (b *Batch) publish(msgs []Message, last bool) error {
	for i, m := range msgs {
		op := fastAdd
		switch {
		case last && i == len(msgs)-1:
			op = fastCommit
		case b.sent == 0:
			op = fastStart
		}
		if err := b.send(m, b.replyTo(b.sent+1, op)); err != nil {
			return fmt.Errorf("append to %s: %w", b.stream, err)
		}
		b.expect++
		b.sent++
		b.subject = m.Subject
	}
	return nil
}

// send hands a message to the connection, which encodes it at once.
func (b *Batch) send(m Message, reply string) error {
	return m.Header.With(wire.HeaderExpectedLastSeq, expected(b.expect), func(header map[string][]string) error {
		b.out = nats.Msg{Subject: m.Subject, Reply: reply, Header: header, Data: m.Data}
		return b.a.nc.PublishMsg(&b.out)
	})
}

func (b *Batch) replyTo(n uint64, op string) string {
	var digits [20]byte
	return b.reply + string(strconv.AppendUint(digits[:0], n, 10)) + op
}

// await waits until at most so many messages are unstored.
func (b *Batch) await(ctx context.Context, unstored int) error {
	if b.Unstored() <= unstored {
		return b.Err()
	}
	return b.listen(ctx, b.sent, func() bool { return b.Unstored() <= unstored })
}

// finish waits for the end of a batch that was committed.
func (b *Batch) finish(ctx context.Context) error {
	if err := b.listen(ctx, b.sent, func() bool { return false }); err != nil {
		return err
	}
	if b.Unstored() != 0 {
		return fmt.Errorf("append to %s: %d of %d messages stored", b.stream, b.stored.Load(), b.sent)
	}
	return nil
}

// listen waits for enough or for the batch's end; a ping brings back an answer
// that was lost.
func (b *Batch) listen(ctx context.Context, sent uint64, enough func() bool) error {
	ping := time.NewTicker(time.Second)
	defer ping.Stop()
	for !enough() {
		select {
		case <-b.over:
			return b.result
		case <-b.moved:
		case <-ctx.Done():
			return fmt.Errorf("append to %s: %w", b.stream, context.Cause(ctx))
		case <-ping.C:
			if err := b.a.nc.PublishRequest(b.subject, b.replyTo(sent, fastPing), nil); err != nil {
				return fmt.Errorf("append to %s: %w", b.stream, err)
			}
		}
	}
	return nil
}

// fastReply is any of the answers to a fast-ingest batch: a flow message (has a
// type) or the final acknowledgement.
type fastReply struct {
	Type   string `json:"type"`
	Stream string `json:"stream"`
	// Seq is, in a flow message, how many messages of the batch are stored.
	Seq   uint64              `json:"seq"`
	Count uint64              `json:"count"`
	Error *jetstream.APIError `json:"error"`
}

// outcome is what an answer other than a flow message says.
func (r fastReply) outcome(stream string) error {
	switch {
	case r.Error != nil && marked.WrongSequence(r.Error):
		return fmt.Errorf("append to %s: %w", stream, ErrFenced)
	case r.Type == "gap":
		return fmt.Errorf("append to %s: a message of the batch was lost on the way", stream)
	case r.Error != nil:
		return fmt.Errorf("append to %s: %w", stream, r.Error)
	case r.Stream != stream:
		return fmt.Errorf("append to %s: acknowledged by stream %q", stream, r.Stream)
	}
	return nil
}

var errNoStream = &jetstream.APIError{Code: 503, Description: "no responders: the stream is gone, or has no leader"}

// receive hands an answer to its batch.
func (a *Appender) receive(m *nats.Msg) {
	id, _, _ := strings.Cut(m.Subject[len(a.prefix)+1:], ".")
	a.mu.Lock()
	b := a.open[id]
	a.mu.Unlock()
	if b == nil {
		return
	}
	var r fastReply
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		r.Error = errNoStream
	} else if err := json.Unmarshal(m.Data, &r); err != nil {
		return // not an answer that the protocol knows
	}
	if r.Type == "ack" {
		b.progressed(r.Seq)
		return
	}
	b.finished(r)
}

func (b *Batch) progressed(stored uint64) {
	if stored <= b.stored.Load() {
		return
	}
	b.stored.Store(stored)
	select {
	case b.moved <- struct{}{}:
	default:
	}
}

// finished notes the answer that ends the batch: an error, a gap or the end.
// The first decides.
func (b *Batch) finished(r fastReply) {
	if b.isOver() {
		return
	}
	b.result = r.outcome(b.stream)
	if b.result == nil {
		b.stored.Store(r.Count)
		if !b.ending.Load() {
			b.result = fmt.Errorf("append to %s: the server has ended the batch", b.stream)
		}
	}
	close(b.over)
	if b.result != nil {
		b.onFail()
	}
}

func (b *Batch) isOver() bool {
	select {
	case <-b.over:
		return true
	default:
		return false
	}
}
