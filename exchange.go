package replhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// kind is the result of an attempt.
type kind uint8

const (
	answered kind = iota // as it should be
	refused              // for good
	retry                // not now
	lost                 // no answer any more: the connection was lost, and is back
	ended                // the context or the client ended meanwhile
)

// outcome is how an attempt ended.
type outcome struct {
	kind kind
	err  error // nil when answered
	// doubt says that the request may have had its effect despite the error.
	doubt bool
}

var (
	errNoAnswer     = errors.New("no answer")
	errDisconnected = errors.New("the connection to NATS was lost")
)

// attempt publishes a message once.
func (c *Client) attempt(ctx context.Context, msg *nats.Msg) (Ack, outcome) {
	m, out := c.exchange(ctx, msg)
	if out.kind != answered {
		return Ack{}, out
	}
	return readAck(m)
}

// exchange sends a message and waits for its answer, at most Config.Timeout.
func (c *Client) exchange(ctx context.Context, msg *nats.Msg) (*nats.Msg, outcome) {
	timer := time.NewTimer(c.cfg.Timeout)
	defer timer.Stop()
	back := c.reconnects.next()
	if !c.nc.IsConnected() {
		if c.nc.IsClosed() {
			return nil, outcome{kind: refused, err: ErrClosed}
		}
		return nil, c.awaitConnection(ctx, timer, back)
	}
	// Nothing was sent yet, so the outcome is not in doubt.
	if ctx.Err() != nil {
		return nil, outcome{kind: ended, err: context.Cause(ctx)}
	}
	reply, answer := c.replies.await()
	defer c.replies.forget(reply)
	err := c.nc.PublishMsg(&nats.Msg{Subject: msg.Subject, Reply: reply, Header: msg.Header, Data: msg.Data})
	if err != nil {
		return nil, sendFailed(err, c.nc.MaxPayload())
	}
	select {
	case m := <-answer:
		return m, outcome{kind: answered}
	case <-back:
		return nil, outcome{kind: lost, err: errDisconnected, doubt: true}
	case <-timer.C:
		if err := c.denied(msg.Subject); err != nil {
			return nil, outcome{kind: refused, err: err}
		}
		return nil, outcome{kind: retry, err: fmt.Errorf("%w within %s", errNoAnswer, c.cfg.Timeout), doubt: true}
	case <-ctx.Done():
		return nil, outcome{kind: ended, err: context.Cause(ctx), doubt: true}
	case <-c.closed:
		return nil, outcome{kind: ended, err: ErrClosed, doubt: true}
	}
}

// awaitConnection waits for the connection to be back, with nothing sent.
func (c *Client) awaitConnection(ctx context.Context, timer *time.Timer, back <-chan struct{}) outcome {
	select {
	case <-back:
		return outcome{kind: lost, err: errDisconnected}
	case <-timer.C:
		return outcome{kind: retry, err: errDisconnected}
	case <-ctx.Done():
		return outcome{kind: ended, err: fmt.Errorf("%w: %w", context.Cause(ctx), errDisconnected)}
	case <-c.closed:
		return outcome{kind: ended, err: ErrClosed}
	}
}

// denied is the server's permission error for the subject. It comes apart from the
// answers: a denied publish gets no answer.
func (c *Client) denied(subject string) error {
	err := c.nc.LastError()
	if errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), `"`+subject+`"`) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}

// sendFailed is the outcome of a message that the connection did not take.
func sendFailed(err error, maxPayload int64) outcome {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return outcome{kind: refused, err: fmt.Errorf("%w: a message has at most %d bytes, headers included", ErrTooLarge, maxPayload)}
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return outcome{kind: refused, err: fmt.Errorf("%w: %w", ErrClosed, err)}
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return outcome{kind: retry, err: err}
	default:
		return outcome{kind: refused, err: err}
	}
}

// The server's error codes for a message that it could not store.
const (
	codeStoreFailed     = 10077 // with the store's own error as description
	codeMessageTooLarge = 10054
	codeHeaderTooLarge  = 10097
	codeDuplicateUnsure = 10158 // the first under this id is not stored yet

	wordsMaxBytes    = "maximum bytes exceeded"
	wordsMaxMessages = "maximum messages exceeded"
	wordsTooLarge    = "message too large"

	firstServerFault    = 500 // of codes as in HTTP
	codeTooManyRequests = 429
)

// readAck reads the answer to a publish.
func readAck(m *nats.Msg) (Ack, outcome) {
	if isNoResponders(m) {
		return Ack{}, outcome{kind: retry, err: nats.ErrNoResponders}
	}
	var answer struct {
		Stream    string              `json:"stream"`
		Seq       uint64              `json:"seq"`
		Duplicate bool                `json:"duplicate"`
		Error     *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return Ack{}, outcome{kind: refused, err: fmt.Errorf("the answer is no acknowledgement: %w", err), doubt: true}
	case answer.Error != nil:
		return Ack{}, refusal(answer.Error)
	case answer.Stream != contract.StreamIngest:
		return Ack{}, outcome{kind: refused, err: fmt.Errorf("%w: the stream %s stored the event, and no hub replicates that stream", ErrNoHub, contract.Quote(answer.Stream))}
	}
	return Ack{Seq: answer.Seq, Duplicate: answer.Duplicate}, outcome{}
}

// refusal translates an error of the stream. The event was not stored, unless the
// error leaves that open.
func refusal(e *jetstream.APIError) outcome {
	storeFailed := e.ErrorCode == codeStoreFailed
	switch {
	case storeFailed && (e.Description == wordsMaxBytes || e.Description == wordsMaxMessages):
		return outcome{kind: refused, err: fmt.Errorf("%w: %w", ErrIngestFull, e)}
	case e.ErrorCode == codeMessageTooLarge, e.ErrorCode == codeHeaderTooLarge, storeFailed && e.Description == wordsTooLarge:
		return outcome{kind: refused, err: fmt.Errorf("%w: %w", ErrTooLarge, e)}
	case e.ErrorCode == codeDuplicateUnsure:
		return outcome{kind: retry, err: e, doubt: true}
	case e.Code >= firstServerFault, e.Code == codeTooManyRequests:
		return outcome{kind: retry, err: e}
	}
	return outcome{kind: refused, err: e}
}
