package lane

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// chunkRows and chunkBytes bound one request to an owner: to as many rows as an
	// append takes.
	chunkRows  = 1000
	chunkBytes = 2 << 20
	// chunkTime bounds the wait for a whole answer, silenceTime the wait for its next
	// message.
	chunkTime   = time.Minute
	silenceTime = 5 * time.Second
	// probeTime bounds the wait for any message of an owner, which sends "wait" each
	// second. It is shorter than a hub waits for a hub to which it has forwarded a
	// request.
	probeTime = 2 * time.Second
)

// owner asks an entity's owner for rows.
type owner struct {
	nc       *nats.Conn
	ingest   *ingest.Ingest
	service  subjects.Name
	interest Interest
}

// ask asks once for the rows that follow a place. It first reads the position that
// the rows get: an event that is in ingest by then was committed by its owner before,
// and so is contained in the rows.
func (o owner) ask(ctx context.Context, from Snapshot) (*chunk, error) {
	if len(from.Keys) > 0 {
		return o.askKeys(ctx, from)
	}
	ctx, cancel := context.WithTimeout(ctx, chunkTime)
	defer cancel()
	at, err := watermark(ctx, o.ingest)
	if err != nil {
		return nil, err
	}
	sub, err := o.request(contract.SnapshotRequest{
		After: from.After, Rows: from.Row, Limit: chunkRows, MaxBytes: chunkBytes, Timeout: contract.Duration(chunkTime),
	})
	if err != nil {
		return nil, fmt.Errorf("ask for rows of %s: %w", o.interest.Entity, err)
	}
	// It fails only where the connection is closed, which also ends the subscription.
	defer func() { _ = sub.Unsubscribe() }()
	msgs, end, err := o.receive(ctx, sub)
	if err != nil {
		return nil, err
	}
	origin := originOf(end)
	if from.Row > 0 && origin != from.Origin {
		return nil, differentOwner(o.interest.Entity, from.Origin, origin)
	}
	c, err := o.decode(at, from, origin, msgs)
	if err != nil {
		return nil, err
	}
	c.all = rowsIn(end)
	return c, nil
}

// rowsIn is about how many rows the owner says that it has; 0 where it does not say.
func rowsIn(end nats.Header) uint64 {
	n, err := strconv.ParseUint(end.Get(contract.HeaderRows), 10, 64)
	if err != nil {
		return 0 // it is for progress alone
	}
	return n
}

// watermark is the last event in ingest. Rows that are requested while ingest is
// empty come before the epoch's first event, and behind all events of earlier epochs.
func watermark(ctx context.Context, g *ingest.Ingest) (ingest.Mark, error) {
	at, b, err := g.End(ctx)
	if err != nil {
		return ingest.Mark{}, err
	}
	if b.Last == 0 {
		at.Position = event.Position{Epoch: g.Epoch() - 1, Seq: math.MaxInt64}
	}
	if at.Time.IsZero() {
		at.Time = g.Now()
	}
	return at, nil
}

// AskOwner asks an entity's owner for one row, and returns once there is any
// answer: an error says why there will be no rows, and what to do.
func AskOwner(ctx context.Context, nc *nats.Conn, service, entity subjects.Name) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	o := owner{nc: nc, service: service, interest: Interest{Entity: entity.String()}}
	sub, err := o.request(contract.SnapshotRequest{Limit: 1, MaxBytes: 1, Timeout: contract.Duration(probeTime)})
	if err != nil {
		return fmt.Errorf("ask for rows of %s: %w", entity, err)
	}
	// It fails only where the connection is closed, which also ends the subscription.
	defer func() { _ = sub.Unsubscribe() }()
	m, err := sub.NextMsgWithContext(ctx)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("no instance serves the rows of %s: start its owner, which serves them with ServeSnapshot, and send the request again", entity)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the owner of %s did not answer within %s: make sure that it runs and is not overloaded, and send the request again", entity, probeTime)
	case err != nil:
		return fmt.Errorf("ask for rows of %s: %w", entity, err)
	case m.Header.Get(contract.HeaderSnapshot) == contract.SnapshotError:
		return fmt.Errorf("the owner of %s cannot give its rows: %s; remove the cause, and send the request again", entity, record.Clip(m.Header.Get(contract.HeaderError)))
	}
	return nil
}

// request sends a request and returns the subscription for its answer.
func (o owner) request(r contract.SnapshotRequest) (*nats.Subscription, error) {
	r.Entity, r.Service = o.interest.Entity, o.service.String()
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	inbox := o.nc.NewInbox()
	sub, err := o.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	err = o.nc.PublishRequest(contract.SubjectSnapshot+o.interest.Entity, inbox, data)
	if err != nil {
		return nil, errors.Join(err, sub.Unsubscribe())
	}
	return sub, nil
}

// originOf is the name that an owner gave itself at the end of its answer; empty where it
// gave none.
func originOf(end nats.Header) string {
	name, err := subjects.ParseName(end.Get(contract.HeaderOrigin))
	if err != nil {
		return ""
	}
	return name.String()
}

// receive reads a whole answer in order, and returns the rows and the headers of the end.
func (o owner) receive(ctx context.Context, sub *nats.Subscription) (rows []*nats.Msg, end nats.Header, err error) {
	n, data, kept := 0, 0, 0
	for {
		m, err := o.next(ctx, sub)
		if err != nil {
			return nil, nil, err
		}
		number := m.Header.Get(contract.HeaderRow)
		switch m.Header.Get(contract.HeaderSnapshot) {
		case contract.SnapshotWait:
			continue
		case contract.SnapshotError:
			return nil, nil, fmt.Errorf("the owner of %s has no answer: %s", o.interest.Entity, record.Clip(m.Header.Get(contract.HeaderError)))
		case contract.SnapshotEnd:
			if number != strconv.Itoa(n) {
				return nil, nil, fmt.Errorf("rows of %s were lost on the way: %d of %s came", o.interest.Entity, n, record.Clip(number))
			}
			return rows, m.Header, nil
		}
		if number != strconv.Itoa(n+1) {
			return nil, nil, fmt.Errorf("rows of %s were lost on the way: %s came behind %d", o.interest.Entity, record.Clip(number), n)
		}
		// An owner does not count headers; rows that do not fit because of their headers are
		// requested again.
		if kept < chunkBytes {
			rows = append(rows, m)
			kept += m.Size()
		}
		n++
		if data += len(m.Data); n > chunkRows || data > chunkBytes+int(o.nc.MaxPayload()) {
			return nil, nil, fmt.Errorf("the owner of %s sends more than it was asked for", o.interest.Entity)
		}
	}
}

// next waits for the next message of an answer.
func (o owner) next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, silenceTime)
	defer cancel()
	m, err := sub.NextMsgWithContext(waiting)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("no instance serves a snapshot of %s: start its owner", o.interest.Entity)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, fmt.Errorf("the owner of %s was silent for %s", o.interest.Entity, silenceTime)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("the owner of %s took longer than %s over %d rows", o.interest.Entity, chunkTime, chunkRows)
	case err != nil:
		return nil, fmt.Errorf("receive rows of %s: %w", o.interest.Entity, err)
	}
	return m, nil
}

// decode makes rows from an answer's messages.
func (o owner) decode(at ingest.Mark, from Snapshot, origin string, msgs []*nats.Msg) (*chunk, error) {
	entity, err := subjects.ParseName(o.interest.Entity)
	if err != nil {
		return nil, err
	}
	c := &chunk{origin: origin, rows: make([]*event.Event, 0, len(msgs))}
	of := event.RowOf{Entity: entity, Snapshot: cmp.Or(from.ID, o.interest.ID), Number: from.Row, Origin: origin}
	for _, m := range msgs {
		of.Number++
		e, err := event.Row(at.Position, at.Time, of, m.Header, m.Data)
		if err != nil {
			return nil, fmt.Errorf("the owner of %s: %w", o.interest.Entity, err)
		}
		// The owner would be asked for the same rows for ever.
		if e.Key == from.After {
			return nil, fmt.Errorf("the owner of %s gives row %s again: rows must begin behind the key that is asked for", o.interest.Entity, strconv.QuoteToASCII(record.Clip(e.Key)))
		}
		c.rows = append(c.rows, e)
	}
	return c, nil
}
