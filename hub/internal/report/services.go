package report

import (
	"context"
	"errors"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/reply"
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
