package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// doLetter answers an instance that is about to store a dead letter of its own.
func (h *Hub) doLetter(ctx context.Context, service subjects.Name, req contract.Letter) (any, error) {
	if req.Bytes < 0 {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "bytes", "%d is below 0", req.Bytes)
	}
	state, err := h.laneState(ctx, service)
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
			return nil, contract.Errorf(contract.CodeNotFound, "the event is of an earlier service of this name, which was dropped")
		}
	}
	if err := h.letters.Admit(ctx, service, req.Bytes); errors.Is(err, deadletter.ErrQuota) {
		return nil, contract.Errorf(contract.CodeLimit, "%v", err)
	} else if err != nil {
		return nil, err
	}
	return contract.LetterAdmitted{Service: service.String()}, nil
}

// describeQuota tells of a service whose dead letters are refused.
func (h *Hub) describeQuota(status *laneReport, service subjects.Name) {
	text := h.letters.OverQuota(service)
	if text == "" {
		return
	}
	switch status.State {
	case contract.LaneDetached, contract.LaneParked, contract.LaneStalled:
	default:
		status.State, status.Reason, status.trouble = contract.LaneStalled, text, contract.TroubleLettersFull
	}
}
