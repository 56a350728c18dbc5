package control

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// joinTime bounds one request: instances ask again soon.
const joinTime = 2 * time.Second

// JoinPatience is how long a hub waits for the owner of a lane before it answers an
// instance itself. Instances wait for a second, and their leases are over after three:
// a frozen owner must not cost them their partitions.
const JoinPatience = 400 * time.Millisecond

// Join answers an instance that reports that it is alive and which partitions it
// holds.
func (v *Verbs) Join(ctx context.Context, service subjects.Name, req contract.Join) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	if !request.ValidID(req.Instance) {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "instance", "%q is not 1 to 64 letters, digits, _ or -", request.Clip(req.Instance))
	}
	state, err := v.cfg.Lanes.CheapState(ctx, service)
	if err != nil {
		return nil, err
	}
	if state.Detached != nil {
		return nil, contract.Errorf(contract.CodeDetached, "the lane is detached: %s; register interests that state a start", state.Detached.Reason)
	}
	if state.Dropped {
		return nil, lane.ErrNoLane
	}
	for i, p := range req.Holding {
		if p < 0 || p >= lane.MaxPartitions {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, fmt.Sprintf("holding[%d]", i), "%d is not between 0 and %d", p, lane.MaxPartitions-1)
		}
	}
	reply, err := v.cfg.Rosters.Join(ctx, service, lane.Partitions(state.Queue), req)
	if err != nil {
		return nil, err
	}
	return reply, nil
}
