package lane

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/internal/contract"
)

// OpenAppend is one fast-ingest append that is open: messages go out without waiting
// for those before them. Each carries the sequence that it expects, and the server
// ends the batch at the first message that does not fit or is missing. So the server
// stores a prefix of the messages and nothing behind it.
//
// The first message goes out alone (ADR-50). Its answer shows whether the server
// supports batches: a server that does not would store each message by itself,
// possibly the second without the first. The answers also say how many messages may
// be outstanding.
//
// A batch must be used by one goroutine. After any error the batch is over, and the
// lane must be read again.
type OpenAppend struct {
	a      *Appender
	id     string
	stream string
	// subject is one of the stream's, for commands about the batch.
	subject string
	reply   string // prefix of the reply subjects
	// expect is the last sequence that the next message states, sent how many
	// messages the batch has.
	expect, sent uint64
	out          nats.Msg // the message being sent: one for all

	// Written by the connection's goroutine.
	stored atomic.Uint64 // how many messages the server has said are stored
	window atomic.Uint64 // how many messages may be unstored
	// ending is set once the batch is told to end: before that, any end is a
	// failure.
	ending atomic.Bool
	moved  chan struct{} // stored or window has changed
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
	fastEnd    = ".3.$FI" // a commit without a message
	fastPing   = ".4.$FI"
)

const (
	// fastFlow is the distance between two answers, in messages, that a batch
	// asks for. The server gives less to a stream with several open batches.
	fastFlow = 500
	// outstandingAnswers bounds the outstanding messages: to the number that this
	// many answers acknowledge. ADR-50 finds two or three enough; with two, a hub
	// with one lane made 9 % fewer copies a second than with four.
	outstandingAnswers = 4
	// pingEvery is the delay after which a batch asks for a possibly lost answer. It
	// is a fraction of a lane's patience.
	pingEvery = core.MinPatience / 4
)

// Open begins a batch behind the stream's last sequence. onFail is called when the
// server ends the batch, on a goroutine that must not block. Drop must be called at
// the end.
func (a *Appender) Open(stream string, last uint64, onFail func()) *OpenAppend {
	b := &OpenAppend{
		a: a, id: nuid.Next(), stream: stream, expect: last, onFail: onFail,
		moved: make(chan struct{}, 1), over: make(chan struct{}),
	}
	b.window.Store(1) // until the server's first answer
	b.reply = a.prefix + "." + b.id + "." + strconv.Itoa(fastFlow) + ".fail."
	a.mu.Lock()
	a.open[b.id] = b
	a.mu.Unlock()
	return b
}

// Drop forgets a batch, whether or not it has ended.
func (b *OpenAppend) Drop() {
	b.a.mu.Lock()
	delete(b.a.open, b.id)
	b.a.mu.Unlock()
}

// Unstored is how many messages were sent and not yet confirmed as stored.
func (b *OpenAppend) Unstored() int { return int(b.sent - b.stored.Load()) }

// Stored is the stream's sequence up to which the server has said that the batch's
// messages are stored.
func (b *OpenAppend) Stored() uint64 { return b.expect - b.sent + b.stored.Load() }

// Ready reports whether another message can be sent without waiting.
func (b *OpenAppend) Ready() bool {
	return b.Err() == nil && b.sent-b.stored.Load() < b.window.Load()
}

// Err returns why the server has ended the batch; nil while it has not.
func (b *OpenAppend) Err() error {
	select {
	case <-b.over:
		return b.result
	default:
		return nil
	}
}

// Send appends messages without waiting until they are stored. It waits while as many
// messages are outstanding as the server allows.
func (b *OpenAppend) Send(ctx context.Context, msgs []Message) error {
	for _, m := range msgs {
		op := fastAdd
		if b.sent == 0 {
			op = fastStart
		}
		if err := b.send(ctx, m, op); err != nil {
			return err
		}
	}
	return nil
}

// SendLast appends the last messages of the batch, and returns once the whole batch
// is stored.
func (b *OpenAppend) SendLast(ctx context.Context, msgs []Message) error {
	last := len(msgs) - 1
	if err := b.Send(ctx, msgs[:last]); err != nil {
		return err
	}
	b.ending.Store(true)
	if err := b.send(ctx, msgs[last], fastCommit); err != nil {
		return err
	}
	return b.finish(ctx)
}

// Settle ends the batch and returns once the whole batch is stored.
func (b *OpenAppend) Settle(ctx context.Context) error {
	if b.sent == 0 {
		return nil
	}
	b.ending.Store(true)
	if err := b.a.nc.PublishRequest(b.subject, b.replyTo(b.sent+1, fastEnd), nil); err != nil {
		return fmt.Errorf("append to %s: %w", b.stream, err)
	}
	return b.finish(ctx)
}

// send hands a message to the connection, which encodes it at once, as soon as
// there is room for it.
func (b *OpenAppend) send(ctx context.Context, m Message, op string) error {
	if !b.Ready() {
		if err := b.listen(ctx, b.Ready); err != nil {
			return err
		}
	}
	err := m.Header.With(contract.HeaderExpectedLastSeq, expected(b.expect), func(header map[string][]string) error {
		b.out = nats.Msg{Subject: m.Subject, Reply: b.replyTo(b.sent+1, op), Header: header, Data: m.Data}
		return b.a.nc.PublishMsg(&b.out)
	})
	if err != nil {
		return fmt.Errorf("append to %s: %w", b.stream, err)
	}
	b.expect++
	b.sent++
	b.subject = m.Subject
	return nil
}

func (b *OpenAppend) replyTo(n uint64, op string) string {
	var digits [20]byte
	return b.reply + string(strconv.AppendUint(digits[:0], n, 10)) + op
}

// finish waits for the end of a committed batch.
func (b *OpenAppend) finish(ctx context.Context) error {
	if err := b.listen(ctx, func() bool { return false }); err != nil {
		return err
	}
	if b.Unstored() != 0 {
		return fmt.Errorf("append to %s: %d of %d messages stored", b.stream, b.stored.Load(), b.sent)
	}
	return nil
}

// listen waits for enough or for the batch's end. A ping, which states the last
// message sent, makes the server repeat a lost answer.
func (b *OpenAppend) listen(ctx context.Context, enough func() bool) error {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for !enough() {
		select {
		case <-b.over:
			return b.result
		case <-b.moved:
		case <-ctx.Done():
			return fmt.Errorf("append to %s: %w", b.stream, context.Cause(ctx))
		case <-ping.C:
			if err := b.a.nc.PublishRequest(b.subject, b.replyTo(b.sent, fastPing), nil); err != nil {
				return fmt.Errorf("append to %s: %w", b.stream, err)
			}
		}
	}
	return nil
}
