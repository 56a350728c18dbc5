package replhub

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// fastBatch is one fast-ingest batch (ADR-50): messages go out without waiting
// for those before them. The server ends it at the first message that is missing
// or refused, so a prefix is stored and nothing behind it. A message whose id is
// stored already is passed over.
//
// The first message goes out alone: its answer shows that the server takes it as a
// part of a batch, and not as one of many single messages, of which the second may
// be stored without the first. The answers also say how many may be on their way.
type fastBatch struct {
	client  *Client
	id      string
	reply   string // what the reply subjects begin with
	sub     *nats.Subscription
	answers chan *nats.Msg
	back    <-chan struct{} // closed when the connection was lost and is back

	sent, stored, window uint64
	last                 string // the last subject, for words to the server about the batch
	over                 bool   // the final answer is there
	seq                  uint64 // of the last event that is stored, once over
	duplicate            bool   // the batch was one event, and that was stored before
	single               bool   // the server took the first event as a single message
	disabled             bool   // the stream takes no batches
}

// The operations of a fast-ingest batch, the last but one token of its reply
// subject "<inbox>.<batch>.<flow>.<gap>.<sequence>.<operation>.$FI".
const (
	fastStart  = ".0.$FI"
	fastAdd    = ".1.$FI"
	fastCommit = ".2.$FI"
	fastEnd    = ".3.$FI" // a commit that is no message itself
)

const (
	// fastFlow is the distance between two answers, in messages, that a batch
	// asks for. The server gives less to a stream with several open batches.
	fastFlow = 200
	// outstandingAnswers bounds the messages on their way: as many as this many
	// answers acknowledge.
	outstandingAnswers = 4
	// codeBatchesDisabled is the server's error of a stream that takes none.
	codeBatchesDisabled = 10205
	// maxBatchBytes ends a batch: the server drops what does not fit into a stream's
	// queue (128 MiB), and answers by numbers of messages, however large they are.
	maxBatchBytes = 16 << 20
	// answersAhead is room for answers that were not read yet. Each says all that
	// those before it said; more than these are not on their way at a time.
	answersAhead = 64
)

func (c *Client) openBatch() (*fastBatch, error) {
	if !c.nc.IsConnected() {
		return nil, errDisconnected
	}
	b := &fastBatch{client: c, id: newID(), window: 1, answers: make(chan *nats.Msg, answersAhead), back: c.reconnects.next()}
	inbox := c.nc.NewInbox()
	b.reply = inbox + "." + b.id + "." + strconv.Itoa(fastFlow) + ".fail."
	var err error
	if b.sub, err = c.nc.ChanSubscribe(inbox+".>", b.answers); err != nil {
		return nil, fmt.Errorf("subscribe to a batch's answers: %w", err)
	}
	return b, nil
}

func (b *fastBatch) close() {
	// It fails only where the connection is closed, which ends it as well.
	_ = b.sub.Unsubscribe()
}

// publish sends the events and waits for the final answer. It reports whether the
// batch went as it should, as far as it went.
func (b *fastBatch) publish(ctx context.Context, events []Event) bool {
	for i, bytes := 0, 0; i < len(events); i++ {
		msg, err := b.client.encode(ctx, &events[i])
		if err != nil {
			return b.end(ctx, false)
		}
		bytes += len(msg.Data)
		op := fastAdd
		switch {
		case i == len(events)-1:
			op = fastCommit
		case i == 0:
			op = fastStart
		case bytes > maxBatchBytes:
			return b.end(ctx, true)
		}
		if !b.room(ctx) {
			return false
		}
		if b.send(msg, op) != nil {
			return b.end(ctx, false) // it is larger than the connection takes
		}
	}
	return b.finish(ctx)
}

// send hands a message to the connection.
func (b *fastBatch) send(msg *nats.Msg, op string) error {
	msg.Reply = b.reply + strconv.FormatUint(b.sent+1, 10) + op
	if err := b.client.nc.PublishMsg(msg); err != nil {
		return err
	}
	b.sent++
	b.last = msg.Subject
	return nil
}

// end has the server store what was sent. It returns well, or false when the
// server did not.
func (b *fastBatch) end(ctx context.Context, well bool) bool {
	if b.sent == 0 {
		return well
	}
	if !b.room(ctx) {
		return false
	}
	if b.client.nc.PublishRequest(b.last, b.reply+strconv.FormatUint(b.sent+1, 10)+fastEnd, nil) != nil {
		return false
	}
	return b.finish(ctx) && well
}

// room waits until another message may be on its way.
func (b *fastBatch) room(ctx context.Context) bool {
	return b.listen(ctx, func() bool { return b.sent-b.stored < b.window }) && !b.over
}

// finish waits for the final answer.
func (b *fastBatch) finish(ctx context.Context) bool {
	return b.listen(ctx, func() bool { return b.over }) && b.stored == b.sent
}

// listen takes answers until enough holds or the batch is over, and reports
// whether it came to that.
func (b *fastBatch) listen(ctx context.Context, enough func() bool) bool {
	for len(b.answers) > 0 && !b.over {
		b.take(<-b.answers)
	}
	if b.over || enough() {
		return true
	}
	timer := time.NewTimer(b.client.cfg.Timeout)
	defer timer.Stop()
	for !b.over && !enough() {
		select {
		case m := <-b.answers:
			b.take(m)
		case <-b.back:
			return false
		case <-timer.C:
			return false
		case <-b.client.closed:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// take notes an answer. One with a type comes while the batch is open: "ack" says
// how far the server is; "gap" and "err" that the final one, without a type,
// follows.
func (b *fastBatch) take(m *nats.Msg) {
	var answer struct {
		Type   string `json:"type"`
		Stream string `json:"stream"`
		Batch  string `json:"batch"`
		// Seq is, in an "ack", how many messages of the batch are stored, and Flow
		// how many there are from this answer to the next; in the final answer, the
		// stream's sequence of the last.
		Seq       uint64              `json:"seq"`
		Flow      uint64              `json:"msgs"`
		Count     uint64              `json:"count"`
		Duplicate bool                `json:"duplicate"`
		Error     *jetstream.APIError `json:"error"`
	}
	if json.Unmarshal(m.Data, &answer) != nil || isNoResponders(m) {
		b.over = true // PublishBatch tells why
		return
	}
	switch {
	case answer.Type == "ack":
		b.stored = max(b.stored, answer.Seq)
		b.window = outstandingAnswers * min(max(answer.Flow, 1), fastFlow)
		return
	case answer.Type != "":
		return
	}
	b.over = true
	switch {
	case answer.Error != nil:
		b.disabled = answer.Error.ErrorCode == codeBatchesDisabled
	case answer.Stream != contract.StreamIngest:
		b.stored = 0
	case answer.Batch != b.id:
		b.single, b.stored, b.seq, b.duplicate = true, 1, answer.Seq, answer.Duplicate
	default:
		b.stored, b.seq, b.duplicate = answer.Count, answer.Seq, answer.Duplicate
	}
}

// acks are those of the events that are stored.
func (b *fastBatch) acks() []Ack {
	acks := make([]Ack, min(b.stored, b.sent))
	if len(acks) == 1 && b.over {
		acks[0] = Ack{Seq: b.seq, Duplicate: b.duplicate}
	}
	return acks
}
