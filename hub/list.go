package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

func (h *Hub) doServices(ctx context.Context, _ subjects.Name, req contract.ListServices) (any, error) {
	p, err := h.parsePaging(req.After, req.Limit, contract.DefaultPage)
	if err != nil {
		return nil, err
	}
	end, _, err := h.ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	services, err := h.lanesAfter(ctx, p.after)
	if err != nil {
		return nil, err
	}
	letters, uncounted := h.countLetters(ctx)
	if uncounted != nil {
		h.log.Debug("count dead letters", "err", uncounted) // the rest is worth telling
	}
	read := func(ctx context.Context, service subjects.Name) (contract.LaneStatus, error) {
		report, err := h.laneStatus(ctx, service, end)
		status := report.LaneStatus
		switch {
		case errors.Is(err, lane.ErrNoLane):
			return status, errLeftOut
		case err != nil:
			status = unreadable(service, err) // one lane in trouble does not hide the others
		}
		status.DeadLetters, status.DeadLettersUnknown = letters[service.String()], uncounted != nil
		return status, nil
	}
	var reply contract.Services
	reply.Services, reply.Next, err = collect(ctx, p, services, read, func(s *contract.LaneStatus, room int) {
		shrinkLane(s, paging{limit: contract.MostPage, room: room})
	})
	return reply, err
}

// unreadable is the status of a lane that cannot be read now.
func unreadable(service subjects.Name, err error) contract.LaneStatus {
	return contract.LaneStatus{
		Service: service.String(), Stream: subjects.LaneStream(service), State: contract.LaneStalled, Reason: cut(err.Error(), maxReason),
		Interests: []contract.InterestStatus{}, Workers: []contract.WorkerStatus{},
	}
}

func (h *Hub) doDescribe(ctx context.Context, service subjects.Name, req contract.Describe) (any, error) {
	p, err := h.parsePaging(req.After, req.Limit, contract.MostPage)
	if err != nil {
		return nil, err
	}
	end, _, err := h.ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	status, err := h.laneStatus(ctx, service, end)
	if err != nil {
		return nil, err
	}
	h.describeLetters(ctx, &status, service)
	if err := h.describeHolders(ctx, service, &status.LaneStatus); err != nil {
		h.log.Debug("who holds which partition", "service", service.String(), "err", err) // the rest is worth telling
	}
	shrinkLane(&status.LaneStatus, p)
	return status.LaneStatus, nil
}

// shrinkLane makes a page of a lane's interests, and cuts what else does not fit
// beside it. The numbers of what is left out stay.
func shrinkLane(s *contract.LaneStatus, p paging) {
	s.Reason = cut(s.Reason, maxReason)
	if s.Fill != nil {
		s.Fill.Filter = cut(s.Fill.Filter, maxReason)
	}
	s.Workers, s.WorkersLeftOut = fitting(s.Workers, p.room/4)
	s.OtherFills, s.FillsLeftOut = fitting(s.OtherFills, p.room/4)
	s.Unavailable, s.UnavailableLeftOut = fitting(s.Unavailable, p.room/8)
	interests := slices.DeleteFunc(s.Interests, func(in contract.InterestStatus) bool { return in.Entity <= p.after })
	s.Interests = []contract.InterestStatus{}
	page, left := fitting(interests[:min(len(interests), p.limit)], p.room-jsonSize(s)-len(`,"next":""`)-maxNameLen)
	if len(page) == 0 && len(interests) > 0 {
		page, left = interests[:1], left-1 // or there would be no end; the reply may be refused for its size
	}
	s.Interests = page
	if left > 0 || len(interests) > p.limit {
		s.Next = page[len(page)-1].Entity
	}
}

// maxNameLen is the longest name of an entity or service, in bytes.
const maxNameLen = 63

// fitting are the first elements of a list that take a number of bytes, and how many
// were left out.
func fitting[T any](list []T, room int) (first []T, left int) {
	used := 0
	for i := range list {
		if used += jsonSize(list[i]) + 1; used > room {
			return list[:i], len(list) - i
		}
	}
	return list, 0
}

func (h *Hub) doWho(ctx context.Context, _ subjects.Name, req contract.Who) (any, error) {
	entity, err := parseName(req.Entity, "entity")
	if err != nil {
		return nil, err
	}
	p, err := h.parsePaging(req.After, req.Limit, contract.DefaultPage)
	if err != nil {
		return nil, err
	}
	services, err := h.lanesAfter(ctx, p.after)
	if err != nil {
		return nil, err
	}
	reply := contract.Whoever{Entity: entity.String()}
	reply.Services, reply.Next, err = collect(ctx, p, services, func(ctx context.Context, service subjects.Name) (contract.InterestStatus, error) {
		state, err := h.interestsOf(ctx, service)
		if err != nil {
			return contract.InterestStatus{}, errLeftOut // gone, or not readable: describe says why
		}
		in := state.Find(entity.String())
		if in == nil {
			return contract.InterestStatus{}, errLeftOut
		}
		return interestStatus(service, state, *in), nil
	}, func(*contract.InterestStatus, int) {})
	return reply, err
}

// interestsOf is a lane's newest state record. Where that cannot be read now,
// what this hub last knew stands in for it.
func (h *Hub) interestsOf(ctx context.Context, service subjects.Name) (lane.State, error) {
	stream, err := h.lookUp(ctx, service)
	if err != nil && !errors.Is(err, lane.ErrNoLane) {
		return h.lastKnown(service, err)
	}
	if err != nil {
		return lane.State{}, err
	}
	state, err := lane.NewLook(h.js, service, stream).State(ctx)
	if err != nil && !errors.Is(err, lane.ErrNoLane) {
		return h.lastKnown(service, err)
	}
	return state, err
}

func (h *Hub) lastKnown(service subjects.Name, why error) (lane.State, error) {
	if l := h.lanes.get(service); l != nil {
		if s := l.Status(); s.Last > 0 {
			return s.State, nil
		}
	}
	return lane.State{}, why
}

// lookUp finds a lane's stream.
func (h *Hub) lookUp(ctx context.Context, service subjects.Name) (jetstream.Stream, error) {
	stream, err := h.js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, lane.ErrNoLane
	}
	if err != nil {
		return nil, fmt.Errorf("look up lane %s: %w", service, err)
	}
	return stream, nil
}

// sortInterests puts interests into the order in which pages tell them.
func sortInterests(interests []contract.InterestStatus) {
	slices.SortFunc(interests, func(a, b contract.InterestStatus) int { return strings.Compare(a.Entity, b.Entity) })
}
