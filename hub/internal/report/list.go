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

// Services answers replhub.services.
func (r *Reporter) Services(ctx context.Context, _ subjects.Name, req contract.ListServices) (any, error) {
	p, err := r.paging(req.After, req.Limit, contract.DefaultPage)
	if err != nil {
		return nil, err
	}
	end, _, err := r.cfg.Ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	services, err := r.lanesAfter(ctx, p.After)
	if err != nil {
		return nil, err
	}
	letters, uncounted := r.countLetters(ctx)
	if uncounted != nil {
		r.cfg.Logger.Debug("count dead letters", "err", uncounted) // the rest is worth telling
	}
	read := func(ctx context.Context, service subjects.Name) (contract.LaneStatus, error) {
		report, err := r.lane(ctx, service, end)
		status := report.LaneStatus
		switch {
		case errors.Is(err, lane.ErrNoLane):
			return status, reply.ErrLeftOut
		case err != nil:
			status = unreadable(service, err) // one lane in trouble does not hide the others
		}
		status.DeadLetters, status.DeadLettersUnknown = letters[service.String()], uncounted != nil
		return status, nil
	}
	var out contract.Services
	out.Services, out.Next, err = reply.Collect(ctx, p, services, read, func(s *contract.LaneStatus, room int) {
		shrinkLane(s, reply.Paging{Limit: contract.MostPage, Room: room})
	})
	return out, err
}

// unreadable is the status of a lane that cannot be read now.
func unreadable(service subjects.Name, err error) contract.LaneStatus {
	return contract.LaneStatus{
		Service: service.String(), Stream: subjects.LaneStream(service), State: contract.LaneStalled, Reason: reply.Cut(err.Error(), reply.MaxText),
		Interests: []contract.InterestStatus{}, Workers: []contract.WorkerStatus{},
	}
}

// Describe answers replhub.describe.
func (r *Reporter) Describe(ctx context.Context, service subjects.Name, req contract.Describe) (any, error) {
	p, err := r.paging(req.After, req.Limit, contract.MostPage)
	if err != nil {
		return nil, err
	}
	end, _, err := r.cfg.Ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	status, err := r.lane(ctx, service, end)
	if err != nil {
		return nil, err
	}
	r.describeLetters(ctx, &status, service)
	if err := r.describeHolders(ctx, service, &status.LaneStatus); err != nil {
		r.cfg.Logger.Debug("who holds which partition", "service", service.String(), "err", err) // the rest is worth telling
	}
	shrinkLane(&status.LaneStatus, p)
	return status.LaneStatus, nil
}

// shrinkLane makes a page of a lane's interests, and cuts the other lists that do not
// fit beside it. The counts of the omitted items stay.
func shrinkLane(s *contract.LaneStatus, p reply.Paging) {
	s.Reason = reply.Cut(s.Reason, reply.MaxText)
	if s.Fill != nil {
		s.Fill.Filter = reply.Cut(s.Fill.Filter, reply.MaxText)
	}
	s.Workers, s.WorkersLeftOut = reply.Fitting(s.Workers, p.Room/4)
	s.OtherFills, s.FillsLeftOut = reply.Fitting(s.OtherFills, p.Room/4)
	s.Unavailable, s.UnavailableLeftOut = reply.Fitting(s.Unavailable, p.Room/8)
	interests := slices.DeleteFunc(s.Interests, func(in contract.InterestStatus) bool { return in.Entity <= p.After })
	s.Interests = []contract.InterestStatus{}
	page, left := reply.Fitting(interests[:min(len(interests), p.Limit)], p.Room-reply.Size(s)-len(`,"next":""`)-maxNameLen)
	if len(page) == 0 && len(interests) > 0 {
		page, left = interests[:1], left-1 // otherwise paging would never end; the reply may be refused for its size
	}
	s.Interests = page
	if left > 0 || len(interests) > p.Limit {
		s.Next = page[len(page)-1].Entity
	}
}

// maxNameLen is the longest name of an entity or service, in bytes.
const maxNameLen = 63

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
