package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/lane"
	"github.com/replhub/replhub/letters"
	"github.com/replhub/replhub/subjects"
	"github.com/replhub/replhub/wire"
)

// doLetter answers an instance that is about to store a dead letter of its own.
func (h *Hub) doLetter(ctx context.Context, service subjects.Name, req wire.Letter) (any, error) {
	if req.Bytes < 0 {
		return nil, wire.FieldErrorf(wire.CodeInvalidValue, "bytes", "%d is below 0", req.Bytes)
	}
	state, err := h.joins.laneState(ctx, service)
	if err != nil {
		return nil, err
	}
	if state.Dropped {
		return nil, lane.ErrNoLane
	}
	if req.Consumer != nil {
		stream, err := h.js.Stream(ctx, subjects.LaneStream(service))
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, lane.ErrNoLane
		}
		if err != nil {
			return nil, fmt.Errorf("look up lane %s: %w", service, err)
		}
		if stream.CachedInfo().Created.After(*req.Consumer) {
			return nil, wire.Errorf(wire.CodeNotFound, "the event is of an earlier service of this name, which was dropped")
		}
	}
	if err := h.letters.Admit(ctx, service, req.Bytes); errors.Is(err, letters.ErrQuota) {
		return nil, wire.Errorf(wire.CodeLimit, "%v", err)
	} else if err != nil {
		return nil, err
	}
	return wire.LetterAdmitted{Service: service.String()}, nil
}

// describeQuota tells of a service whose dead letters are refused.
func (h *Hub) describeQuota(status *wire.LaneStatus, service subjects.Name) {
	text := h.letters.OverQuota(service)
	if text == "" {
		return
	}
	switch status.State {
	case wire.LaneDetached, wire.LaneParked, wire.LaneStalled:
	default:
		status.State, status.Reason = wire.LaneStalled, text
	}
}
