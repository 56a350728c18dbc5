package control

import (
	"context"
	"errors"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Letter answers an instance that is about to store a dead letter of its own.
func (v *Verbs) Letter(ctx context.Context, service subjects.Name, req contract.Letter) (any, error) {
	if req.Bytes < 0 {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "bytes", "%d is below 0", req.Bytes)
	}
	state, err := v.cfg.Lanes.CheapState(ctx, service)
	if err != nil {
		return nil, err
	}
	if state.Dropped {
		return nil, lane.ErrNoLane
	}
	if req.Consumer != nil {
		stream, err := v.cfg.Lanes.Stream(ctx, service)
		if err != nil {
			return nil, err
		}
		if stream.CachedInfo().Created.After(*req.Consumer) {
			return nil, contract.Errorf(contract.CodeNotFound, "the event is of an earlier service of this name, which was dropped")
		}
	}
	if err := v.cfg.DeadLetters.Admit(ctx, service, req.Bytes); errors.Is(err, deadletter.ErrQuota) {
		return nil, contract.Errorf(contract.CodeLimit, "%v", err)
	} else if err != nil {
		return nil, err
	}
	return contract.LetterAdmitted{Service: service.String()}, nil
}
