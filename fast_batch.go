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

// fastBatch is one fast-ingest batch (ADR-50): messages go out without waiting for
// those before them. The server ends the batch at the first message that is missing
// or refused, so it stores a prefix and nothing after it. The server skips a message
// whose id is already stored.
//
// The first message goes out alone. Its answer shows whether the server supports
// batches: a server that does not would store each message by itself, possibly the
// second without the first. The answers also say how many messages may be
// outstanding.
type fastBatch struct {
	client  *Client
	id      string
	reply   string // prefix of the reply subjects
	sub     *nats.Subscription
	answers chan *nats.Msg
	back    <-chan struct{} // closed when the connection was lost and is back

	sent, stored, window uint64
	last                 string // the last subject, for commands about the batch
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
	// outstandingAnswers bounds the outstanding messages: to the number that this
	// many answers acknowledge.
	outstandingAnswers = 4
	// codeBatchesDisabled is the server's error code for a stream without batches.
	codeBatchesDisabled = 10205
	// maxBatchBytes bounds a batch. The server drops messages that do not fit into a
	// stream's queue (128 MiB), and its flow control counts messages, not bytes.
	maxBatchBytes = 16 << 20
	// answersAhead is the room for unread answers. No more than these are outstanding
	// at a time, and each answer includes the earlier ones.
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
	// It fails only where the connection is closed, which also ends the subscription.
	_ = b.sub.Unsubscribe()
}

// publish sends the events and waits for the final answer. It reports whether the
// batch ended without an error; the batch may be shorter than the events.
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
			return b.end(ctx, false) // the message is larger than the connection accepts
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

// end has the server commit what was sent. It returns well, or false when the server
// did not commit.
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

// room waits until another message may be sent.
func (b *fastBatch) room(ctx context.Context) bool {
	return b.listen(ctx, func() bool { return b.sent-b.stored < b.window }) && !b.over
}

// finish waits for the final answer.
func (b *fastBatch) finish(ctx context.Context) bool {
	return b.listen(ctx, func() bool { return b.over }) && b.stored == b.sent
}

// listen takes answers until enough holds or the batch is over, and reports whether
// enough holds.
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

// take notes an answer. An answer with a type comes while the batch is open: "ack"
// reports the progress; "gap" and "err" announce that the final answer, which has no
// type, follows.
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

// acks returns the acknowledgements of the stored events.
func (b *fastBatch) acks() []Ack {
	acks := make([]Ack, min(b.stored, b.sent))
	if len(acks) == 1 && b.over {
		acks[0] = Ack{Seq: b.seq, Duplicate: b.duplicate}
	}
	return acks
}
