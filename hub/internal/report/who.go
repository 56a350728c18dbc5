package report

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Who answers replhub.who.
func (r *Reporter) Who(ctx context.Context, _ subjects.Name, req contract.Who) (any, error) {
	entity, err := request.Name(req.Entity, "entity")
	if err != nil {
		return nil, err
	}
	p, err := r.paging(req.After, req.Limit, contract.DefaultPage)
	if err != nil {
		return nil, err
	}
	services, err := r.lanesAfter(ctx, p.After)
	if err != nil {
		return nil, err
	}
	out := contract.Interested{Entity: entity.String()}
	out.Services, out.Next, err = reply.Collect(ctx, p, services, func(ctx context.Context, service subjects.Name) (contract.InterestStatus, error) {
		state, err := r.interestsOf(ctx, service)
		if err != nil {
			return contract.InterestStatus{}, reply.ErrLeftOut // gone, or not readable: describe says why
		}
		in := state.Find(entity.String())
		if in == nil {
			return contract.InterestStatus{}, reply.ErrLeftOut
		}
		return interestStatus(service, state, *in), nil
	}, func(*contract.InterestStatus, int) {})
	return out, err
}

// interestsOf is a lane's newest state record. If it cannot be read now, this hub's
// last copy is used.
func (r *Reporter) interestsOf(ctx context.Context, service subjects.Name) (lane.State, error) {
	stream, err := r.cfg.Lanes.Stream(ctx, service)
	if err != nil && !errors.Is(err, lane.ErrNoLane) {
		return r.lastKnown(service, err)
	}
	if err != nil {
		return lane.State{}, err
	}
	state, err := lane.NewLook(r.cfg.JS, service, stream).State(ctx)
	if err != nil && !errors.Is(err, lane.ErrNoLane) {
		return r.lastKnown(service, err)
	}
	return state, err
}

func (r *Reporter) lastKnown(service subjects.Name, why error) (lane.State, error) {
	if l := r.cfg.Lanes.Get(service); l != nil {
		if s := l.Status(); s.Last > 0 {
			return s.State, nil
		}
	}
	return lane.State{}, why
}

// sortInterests puts interests into the order in which pages tell them.
func sortInterests(interests []contract.InterestStatus) {
	slices.SortFunc(interests, func(a, b contract.InterestStatus) int { return strings.Compare(a.Entity, b.Entity) })
}
