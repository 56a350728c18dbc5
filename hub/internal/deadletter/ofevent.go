package deadletter

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/headers"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Of returns the letters of one event, oldest first and without payloads: of a
// service's letters of an entity and op that were stored at a time or later, at
// most limit letters are looked at. complete is false if there are more.
func (q *Queue) Of(ctx context.Context, service, entity subjects.Name, op subjects.Op, pos event.Position, from time.Time, limit int) (found []*Letter, complete bool, err error) {
	stream, err := q.cfg.JS.Stream(ctx, contract.StreamDLQ)
	if err != nil {
		return nil, false, fmt.Errorf("look up stream %q: %w", contract.StreamDLQ, err)
	}
	position := pos.String()
	complete, err = headers.Since(ctx, stream, subjects.DeadLetter(service, entity, op), from, limit, func(e headers.Entry) {
		h := e.Headers()
		if h.Get(contract.HeaderPosition) == position && h.Get(contract.HeaderRow) == "" {
			found = append(found, &Letter{Seq: e.Seq, Time: e.Time, Entity: entity, Op: op, Header: h})
		}
	})
	return found, complete, err
}

// Unsettled is the lowest sequence of a lane of which the server has reported
// that a delivery failed, without its letter being stored yet; the largest
// number there is when there is none. Unlike Hold it goes by reports alone.
func (q *Queue) Unsettled(ctx context.Context, service subjects.Name) (uint64, error) {
	return q.lowestUnsettled(ctx, service)
}
