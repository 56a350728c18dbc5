package report

import (
	"context"
	"slices"

	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

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
