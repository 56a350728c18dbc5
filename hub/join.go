package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// joinTime bounds one request: instances ask again soon.
const joinTime = 2 * time.Second

// doJoin answers an instance that says that it lives, and what it holds.
func (h *Hub) doJoin(ctx context.Context, service subjects.Name, req contract.Join) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	if !idGrammar.MatchString(req.Instance) {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "instance", "%q is not 1 to 64 letters, digits, _ or -", clip(req.Instance))
	}
	state, err := h.laneState(ctx, service)
	if err != nil {
		return nil, err
	}
	if state.Detached != nil {
		return nil, contract.Errorf(contract.CodeDetached, "the lane is detached: %s; register again to start anew", state.Detached.Reason)
	}
	if state.Dropped {
		return nil, lane.ErrNoLane
	}
	for i, p := range req.Holding {
		if p < 0 || p >= lane.MaxPartitions {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, fmt.Sprintf("holding[%d]", i), "%d is not between 0 and %d", p, lane.MaxPartitions-1)
		}
	}
	reply, err := h.rosters.Join(ctx, service, lane.Partitions(state.Queue), req)
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// laneState is the state of a service's lane, from memory where this hub copies
// into it.
func (h *Hub) laneState(ctx context.Context, service subjects.Name) (lane.State, error) {
	if l := h.lanes.get(service); l != nil && l.Owned() {
		if s := l.Status(); s.Last > 0 {
			return s.State, nil
		}
	}
	return h.freshState(ctx, service)
}
