package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
)

const (
	// appendEvents and appendBytes bound one append. A fast batch may have any number of
	// messages; an atomic one has atomicEvents.
	appendEvents = 4000
	appendBytes  = 4 << 20
	atomicEvents = 1000
	// maxOpenBytes is the size at which an open batch is settled: the server drops
	// messages that do not fit into a stream's queue (128 MiB).
	maxOpenBytes = 16 << 20
	// fewestInBatch is the number of events for which a batch, which takes two round
	// trips, is quicker than one request for each.
	fewestInBatch = 4
	// bulkEvents is the number of events at hand from which atomic batches are quicker than
	// a fast one: only their first message states the fence, and is compared with it.
	// BenchmarkCapture stored 1.6 times as many rows a second with them.
	bulkEvents = 256
)

// how is the way in which events are appended. All store a prefix of the events.
type how uint8

const (
	// singly is one request after another, for servers and streams without batches.
	singly how = iota
	// fastBatch is a fast-ingest batch that ends at its first refusal, for a stream without
	// replicas. Every message states the fence. Many events at a time go in atomic batches
	// if the stream allows them.
	fastBatch
	// atomicBatch is an atomic batch, for a replicated stream, where a fence can be stated by
	// one message at a time: the first one.
	atomicBatch
)

// howTo chooses the way that a stream's configuration allows.
func howTo(cfg jetstream.StreamConfig) how {
	switch {
	case cfg.Replicas <= 1 && cfg.AllowBatchPublish:
		return fastBatch
	case cfg.Replicas > 1 && cfg.AllowAtomicPublish:
		return atomicBatch
	default:
		return singly
	}
}

// appender appends events under a record. It is used by one goroutine.
type appender struct {
	nc      *nats.Conn
	how     how
	origin  string // the service
	entity  string // of the records
	subject string // of the records
	fence   string // the sequence of the record
	// bulk says that many events at a time go in atomic batches, beside fast ones.
	bulk bool
	// maxMsgSize is that of the stream, in bytes; 0 and less mean none.
	maxMsgSize int32

	// patience is how long an append waits for an answer.
	patience time.Duration

	// The message being sent, its headers and their values: one for all, because the
	// connection encodes a message at once.
	msg     nats.Msg
	header  nats.Header
	values  [7]string
	batches *batches
	// open is the fast batch that is open; nil when there is none.
	open *batch
	// sentAt is when events were sent last.
	sentAt time.Time
}

// unsettled reports whether events were sent that are not known to be stored.
func (a *appender) unsettled() bool { return a.open != nil }

// full reports whether what was sent has to be settled before more is sent.
func (a *appender) full() bool { return a.open != nil && a.open.bytes >= maxOpenBytes }

// settle returns once all events that were sent are stored.
func (a *appender) settle(ctx context.Context) error {
	if a.open == nil {
		return nil
	}
	ctx, cancel := patient(ctx, a.patience)
	defer cancel()
	err := a.open.settle(ctx)
	a.open = nil
	return a.outcome(ctx, err)
}

// under makes the record at a sequence the fence of what is appended from now on.
func (a *appender) under(seq uint64) { a.fence = strconv.FormatUint(seq, 10) }

// append appends events; they are stored once settle has returned nil. After an error it
// is unknown which are stored, and the log must be claimed before anything else is
// appended.
func (a *appender) append(ctx context.Context, events []*event) error {
	ctx, cancel := patient(ctx, a.patience)
	defer cancel()
	err := a.send(ctx, events)
	a.sentAt = time.Now()
	return a.outcome(ctx, err)
}

func (a *appender) outcome(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("append to ingest: %w", context.Cause(ctx))
	}
	if err != nil {
		return classed(fmt.Errorf("append to ingest: %w", err))
	}
	return nil
}

// patient bounds the wait for answers of ingest.
func patient(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, patience, problemf(NATSAway, "ingest has not answered for %s", patience))
}

func (a *appender) send(ctx context.Context, events []*event) error {
	switch {
	case a.how == singly || len(events) < fewestInBatch && !a.steady():
		for _, e := range events {
			if err := a.one(ctx, e); err != nil {
				return err
			}
		}
		return nil
	case a.how == fastBatch && (!a.bulk || len(events) < bulkEvents):
		return a.add(ctx, events)
	default:
		if a.open != nil { // what was sent before is stored first
			err := a.open.settle(ctx)
			if a.open = nil; err != nil {
				return err
			}
		}
		for ; len(events) > 0; events = events[min(len(events), atomicEvents):] {
			if err := a.atomic(ctx, events[:min(len(events), atomicEvents)]); err != nil {
				return err
			}
		}
		return nil
	}
}

// message makes the message of an event. It is valid until the next call.
func (a *appender) message(e *event, fenced bool) *nats.Msg {
	if a.header == nil {
		a.header = make(nats.Header, 8)
	}
	clear(a.header)
	maps.Copy(a.header, e.header)
	version := ""
	if e.version > 0 {
		version = strconv.FormatUint(e.version, 10)
	}
	fence, subject := "", ""
	if fenced {
		fence, subject = a.fence, a.subject
	}
	for i, h := range [...]struct{ name, value string }{
		{contract.HeaderCaptured, captured.Mark(a.entity, e.at)},
		{contract.HeaderExpectedLastSubjectSeq, fence},
		{contract.HeaderExpectedLastSubject, subject},
		{contract.HeaderKey, e.key},
		{contract.HeaderVersion, version},
		{headerContentType, e.contentType},
		{contract.HeaderOrigin, a.origin},
	} {
		if h.value != "" {
			a.values[i] = h.value
			a.header[h.name] = a.values[i : i+1 : i+1]
		}
	}
	a.msg = nats.Msg{Subject: "db." + e.entity + "." + e.op.String(), Header: a.header, Data: e.data}
	return &a.msg
}

const (
	// maxHeaders is the size of headers that a stream takes, in bytes.
	maxHeaders = 64<<10 - 1
	// ownHeaders is more than what a message has beside the event's payload, key and own
	// headers.
	ownHeaders = 2 << 10
)

// unfit is the alarm of an event that the server does not take; nil for every other one.
func (a *appender) unfit(e *event) *alarm {
	headers := len(e.key) + len(e.contentType) + ownHeaders
	for name, values := range e.header {
		for _, value := range values {
			headers += len(name) + len(value) + len(": \r\n")
		}
	}
	most := a.largest()
	if headers <= maxHeaders && headers+len(e.data) <= most {
		return nil
	}
	size := a.message(e, true).Size()
	var why string
	switch {
	case size > most:
		why = fmt.Sprintf("the event has %d bytes, and the NATS server takes %d: raise its max_payload, or leave a column out with --exclude", size, most)
	case size-len(e.data) > maxHeaders:
		why = fmt.Sprintf("the headers of the event have %d bytes, and the NATS server takes %d", size-len(e.data), maxHeaders)
	default:
		return nil
	}
	return &alarm{leftOut: captured.LeftOut{Table: e.from, Changes: 1, At: e.at, Why: why}}
}

// largest is the size of a message that the server and ingest take, in bytes.
func (a *appender) largest() int {
	if a.maxMsgSize > 0 {
		return int(min(int64(a.maxMsgSize), a.nc.MaxPayload()))
	}
	return int(a.nc.MaxPayload())
}

const headerContentType = "Content-Type"

// steady reports whether events come so close together that a batch is worth it.
func (a *appender) steady() bool {
	return a.how == fastBatch && (a.open != nil || time.Since(a.sentAt) < settleAfter)
}

// add appends events to the batch that is open, or to a new one.
func (a *appender) add(ctx context.Context, events []*event) error {
	if a.open == nil {
		a.open = a.batches.open()
	}
	for _, e := range events {
		if err := a.open.send(ctx, a.message(e, true)); err != nil {
			return err
		}
	}
	return nil
}

// one appends an event by a request.
func (a *appender) one(ctx context.Context, e *event) error {
	answer, err := a.nc.RequestMsgWithContext(ctx, a.message(e, true))
	if err != nil {
		return err
	}
	_, err = captured.Stored(answer.Data)
	return err
}

// atomic appends events by an atomic batch.
func (a *appender) atomic(ctx context.Context, events []*event) error {
	id := captured.NewID()
	for i, e := range events {
		msg := a.message(e, i == 0)
		msg.Header["Nats-Batch-Id"] = []string{id}
		msg.Header["Nats-Batch-Sequence"] = []string{strconv.Itoa(i + 1)}
		if last := i == len(events)-1; !last && i > 0 {
			if err := a.nc.PublishMsg(msg); err != nil {
				return err
			}
			continue
		} else if last {
			msg.Header["Nats-Batch-Commit"] = []string{"1"}
		}
		// The first answer shows that the server takes the batch: one that does not
		// know batches would store each message by itself.
		answer, err := a.nc.RequestMsgWithContext(ctx, msg)
		if err != nil {
			return err
		}
		if i == 0 && len(events) > 1 {
			if len(answer.Data) > 0 {
				_, err := captured.Stored(answer.Data)
				return errors.Join(errNoBatch, err)
			}
			continue
		}
		if _, err := captured.Stored(answer.Data); err != nil {
			return err
		}
	}
	return nil
}

var errNoBatch = errors.New("ingest does not take a batch")

// classed gives an error of NATS its class.
func classed(err error) error {
	var class *problemError
	var refused *jetstream.APIError
	switch {
	case err == nil, errors.As(err, &class), errors.Is(err, captured.ErrFenced), errors.Is(err, captured.ErrTrimmed), errors.Is(err, captured.ErrNewer), errors.Is(err, captured.ErrNone), errors.Is(err, captured.ErrForeign):
		return err
	case errors.As(err, &refused):
		return &problemError{IngestRefuses, err}
	default:
		return &problemError{NATSAway, err}
	}
}
