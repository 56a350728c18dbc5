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
	// fewestInBatch is the number of events for which a batch, which takes two round
	// trips, is quicker than one request for each.
	fewestInBatch = 4
)

// how is the way in which events are appended. All store a prefix of the events.
type how uint8

const (
	// singly is one request after another, for servers and streams without batches.
	singly how = iota
	// fastBatch is a fast-ingest batch that ends at its first refusal, for a stream without
	// replicas. Every message states the fence.
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

	// patience is how long an append waits for an answer.
	patience time.Duration

	msg     nats.Msg // the message being sent: one for all
	batches *batches
}

// under makes the record at a sequence the fence of what is appended from now on.
func (a *appender) under(seq uint64) { a.fence = strconv.FormatUint(seq, 10) }

// append appends events. After an error it is unknown which are stored, and the log must
// be claimed before anything else is appended.
func (a *appender) append(ctx context.Context, events []*event) error {
	ctx, cancel := patient(ctx, a.patience)
	defer cancel()
	err := a.send(ctx, events)
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
	case a.how == singly || len(events) < fewestInBatch:
		for _, e := range events {
			if err := a.one(ctx, e); err != nil {
				return err
			}
		}
		return nil
	case a.how == fastBatch:
		return a.batches.fast(ctx, a, events)
	default:
		for ; len(events) > 0; events = events[min(len(events), atomicEvents):] {
			if err := a.atomic(ctx, events[:min(len(events), atomicEvents)]); err != nil {
				return err
			}
		}
		return nil
	}
}

// message makes the message of an event. It is valid until the next call.
func (a *appender) message(e *event, fenced bool) (*nats.Msg, error) {
	header := nats.Header{
		contract.HeaderCaptured: {captured.Mark(a.entity, e.at)},
	}
	maps.Copy(header, e.header)
	if fenced {
		header[contract.HeaderExpectedLastSubjectSeq] = []string{a.fence}
		header[contract.HeaderExpectedLastSubject] = []string{a.subject}
	}
	if e.key != "" {
		header[contract.HeaderKey] = []string{e.key}
	}
	if e.version > 0 {
		header[contract.HeaderVersion] = []string{strconv.FormatUint(e.version, 10)}
	}
	if e.contentType != "" {
		header[headerContentType] = []string{e.contentType}
	}
	if a.origin != "" {
		header[contract.HeaderOrigin] = []string{a.origin}
	}
	a.msg = nats.Msg{Subject: "db." + e.entity + "." + e.op.String(), Header: header, Data: e.data}
	if size, most := int64(a.msg.Size()), a.nc.MaxPayload(); size > most {
		return nil, problemf(Refused, "the event of %s %q has %d bytes, and the NATS server takes %d: raise its max_payload, or leave a column out with --exclude", e.entity, e.key, size, most)
	}
	return &a.msg, nil
}

const headerContentType = "Content-Type"

// one appends an event by a request.
func (a *appender) one(ctx context.Context, e *event) error {
	msg, err := a.message(e, true)
	if err != nil {
		return err
	}
	answer, err := a.nc.RequestMsgWithContext(ctx, msg)
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
		msg, err := a.message(e, i == 0)
		if err != nil {
			return err
		}
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
	case err == nil, errors.As(err, &class), errors.Is(err, captured.ErrFenced), errors.Is(err, captured.ErrTrimmed), errors.Is(err, captured.ErrNewer), errors.Is(err, captured.ErrNone):
		return err
	case errors.As(err, &refused):
		return &problemError{IngestRefuses, err}
	default:
		return &problemError{NATSAway, err}
	}
}
