package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// dropLost gives up a lane whose stream cannot be read any more: its servers are
// gone, or somebody deleted it. Such a lane keeps ingest from being trimmed, or its
// records keep an alarm raised, until an operator declares it lost.
func (h *Hub) dropLost(ctx context.Context, service subjects.Name) (any, error) {
	looking, cancel := context.WithTimeout(ctx, standTime)
	_, err := lane.ReadTip(looking, h.js, service)
	cancel()
	paths := h.book.Paths(service)
	_, foreign := errors.AsType[*hubstream.ForeignError](err)
	switch {
	case err == nil:
		return nil, contract.FieldErrorf(contract.CodeInUse, "lost", "lane %s can be read, so it is not lost; unregister %s and drop it without \"lost\"", service, service)
	case foreign:
		return nil, err
	case errors.Is(err, lane.ErrNoLane) && len(paths) == 0:
		return nil, err
	}
	h.log.Error("giving up a lane that is lost", "service", service.String(), "err", err)
	h.book.Lost(paths)
	if err := h.deleteLost(ctx, service); err != nil {
		return nil, err
	}
	h.rooms.registration.EndRecords(ctx, service, paths)
	if l := h.lanes.Get(service); l != nil {
		if err := h.lanes.Ended(ctx, l); err != nil {
			h.log.Debug("end a lost lane", "err", err) // the hub is stopping
		}
	}
	h.lanes.Announce(service)
	return contract.Dropped{Service: service.String(), Stream: subjects.LaneStream(service)}, nil
}

// deleteTime bounds the wait for the answer to a deletion: for a stream without a
// leader no server answers.
const deleteTime = 2 * time.Second

// deleteLost deletes a stream that may have no leader. Then no server answers for the
// stream, and the meta layer's answer that it is gone decides.
func (h *Hub) deleteLost(ctx context.Context, service subjects.Name) error {
	for {
		deleting, cancel := context.WithTimeout(ctx, deleteTime)
		deleted := h.rooms.registration.DeleteLane(deleting, service)
		cancel()
		if deleted == nil {
			return nil
		}
		looking, cancel := context.WithTimeout(ctx, deleteTime)
		_, err := h.js.Stream(looking, subjects.LaneStream(service))
		cancel()
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", deleted, ctx.Err())
		}
	}
}
