package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// dropPatience is how long a lane may outlive its last record: longer than
	// the hub that wrote it waits.
	dropPatience = requestTime + 5*time.Second
	// dropOnItsWay is how long the request of a hub that died behind the record
	// may still be under way in the server.
	dropOnItsWay = 2 * time.Second
	// dropLook is the time between two looks.
	dropLook = 50 * time.Millisecond
	// deleteTime bounds the wait for the answer to a deletion: a stream without a
	// leader has nobody to give it.
	deleteTime = 2 * time.Second
)

// doDrop deletes a lane that nobody needs. Its last record comes first: deleting
// a stream asks nothing about what is in it, but an append does. So a
// registration that another hub puts in at the same time either comes before
// that record, and nothing is dropped, or finds it, and makes the lane anew.
func (h *Hub) doDrop(ctx context.Context, service subjects.Name, req contract.Drop) (any, error) {
	if req.Lost {
		return h.dropLost(ctx, service)
	}
	l, err := h.knownLane(ctx, service)
	if err != nil {
		return nil, err
	}
	state, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		s := tip.State.Clone()
		if n := len(s.Interests); n > 0 && s.Detached == nil {
			return s, false, contract.Errorf(contract.CodeInUse, "%s has %d interests; unregister them first", service, n)
		}
		known := s.Dropped // by somebody who did not get it done
		s.Dropped = true
		return s, !known, nil
	})
	if err != nil {
		return nil, err
	}
	h.env.Failpoint("dropped")
	h.dropped.add(state)
	if err := h.deleteLane(ctx, service); err != nil {
		return nil, err
	}
	h.leaveRecord(service)
	h.removeRecords(ctx, h.recordPaths(service))
	if err := h.lanes.ended(ctx, l); err != nil {
		h.log.Debug("end a dropped lane", "err", err) // the hub is stopping
	}
	h.lanes.deleted(service)
	h.announce(service)
	return contract.Dropped{Service: service.String(), Stream: subjects.LaneStream(service)}, nil
}

// deleteLane deletes a lane that has its last record, and first what else is kept
// under the service's name: while the stream is there, whoever finishes the drop
// comes by here, and no later service of the name exists that could see it.
func (h *Hub) deleteLane(ctx context.Context, service subjects.Name) error {
	if err := h.letters.Purge(ctx, service); err != nil {
		return err
	}
	if err := h.rosters.Purge(ctx, service); err != nil {
		return err
	}
	h.env.Failpoint("purged letters")
	err := h.js.DeleteStream(ctx, subjects.LaneStream(service))
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("delete lane %s: %w", service, err)
	}
	return nil
}

// awaitDrop waits until a lane that has its last record is gone, and sees to it
// when whoever wrote the record does not.
func (h *Hub) awaitDrop(ctx context.Context, service subjects.Name) error {
	ticker := time.NewTicker(dropLook)
	defer ticker.Stop()
	for {
		tip, err := lane.ReadTip(ctx, h.js, service)
		switch {
		case errors.Is(err, lane.ErrNoLane):
			return nil
		case err != nil:
			return err
		case !tip.State.Dropped:
			return nil // created again
		case h.abandoned(ctx, tip.State):
			h.log.Warn("finishing the drop of a lane that another hub has begun", "service", service.String(), "hub", tip.State.Hub)
			h.dropped.add(tip.State)
			return h.deleteLane(ctx, service)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// abandoned reports whether the hub that wrote a lane's last record will not
// delete its stream any more: it is gone, or has been given the time for that.
func (h *Hub) abandoned(ctx context.Context, s lane.State) bool {
	return h.givenUp(ctx, s.Hub, s.Written)
}

// givenUp reports whether a hub will not finish what it began at a time.
func (h *Hub) givenUp(ctx context.Context, hub string, began time.Time) bool {
	switch age := h.now().Sub(began); {
	case age > dropPatience:
		return true
	case age < dropOnItsWay:
		return false
	}
	if hub == h.cfg.ID {
		return began.Before(h.started) // by the process before this one
	}
	return !h.answers(ctx, hub)
}
