package lane

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
)

// fastReply is any of the answers to a fast-ingest batch. An answer with a type comes
// while the batch is open: "ack" reports the server's progress, "gap" and "err" say
// that it has ended the batch. An answer without a type is the final acknowledgement.
type fastReply struct {
	Type   string `json:"type"`
	Stream string `json:"stream"`
	// Batch is the batch of a final acknowledgement. A server that takes the message
	// as a single one leaves it empty.
	Batch string `json:"batch"`
	// Seq is, in an "ack", how many messages of the batch are stored, and Flow
	// how many messages there are from this answer to the next.
	Seq   uint64              `json:"seq"`
	Flow  uint64              `json:"msgs"`
	Count uint64              `json:"count"`
	Error *jetstream.APIError `json:"error"`
}

// outcome is the content of an answer that ends an append.
func (r fastReply) outcome(stream string) error {
	switch {
	case r.Error != nil && hubstream.WrongSequence(r.Error):
		return fmt.Errorf("append to %s: %w", stream, ErrFenced)
	case r.Type == "gap":
		return fmt.Errorf("append to %s: a message of the batch was lost on the way", stream)
	case r.Error != nil:
		return fmt.Errorf("append to %s: %w", stream, r.Error)
	case r.Type != "":
		return fmt.Errorf("append to %s: answer of the unknown type %q", stream, r.Type)
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
		b.progressed(r)
		return
	}
	b.finished(r)
}

// progressed notes the server's progress. Answers may be lost; each one includes the
// earlier ones.
func (b *OpenAppend) progressed(r fastReply) {
	if r.Seq < b.stored.Load() {
		return
	}
	b.stored.Store(r.Seq)
	b.window.Store(outstandingAnswers * min(max(r.Flow, 1), fastFlow))
	select {
	case b.moved <- struct{}{}:
	default:
	}
}

// finished notes the answer that ends the batch: an error, a gap or the end. The
// first such answer decides.
func (b *OpenAppend) finished(r fastReply) {
	if b.isOver() {
		return
	}
	b.result = r.outcome(b.stream)
	switch {
	case b.result != nil:
	case r.Batch != b.id:
		b.result = fmt.Errorf("append to %s: the server takes no batches: it acknowledged a message as a single one", b.stream)
	case !b.ending.Load():
		b.result = fmt.Errorf("append to %s: the server has ended the batch after %d messages", b.stream, r.Count)
	default:
		b.stored.Store(r.Count)
	}
	close(b.over)
	if b.result != nil {
		b.onFail()
	}
}

func (b *OpenAppend) isOver() bool {
	select {
	case <-b.over:
		return true
	default:
		return false
	}
}
