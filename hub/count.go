package hub

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// countVerb asks a hub for the states of the lanes that it owns, by the subject
// of a forwarded request.
const countVerb = "count"

// countLanes counts all lanes by state. Each hub knows the state of its own
// without asking the server; the lanes of a hub that does not answer are read.
func (h *Hub) countLanes(ctx context.Context) (map[string]int, error) {
	end, _, err := h.ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := h.countOwn(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // guards counts
	add := func(more map[string]int) {
		mu.Lock()
		defer mu.Unlock()
		for state, n := range more {
			counts[state] += n
		}
	}
	var group sync.WaitGroup
	for _, id := range *h.members.Load() {
		if id == h.cfg.ID || h.cfg.OwnAll {
			continue
		}
		group.Go(func() {
			theirs, err := h.askCount(ctx, id)
			if err != nil {
				theirs = make(map[string]int)
				h.readCount(ctx, h.lanesOf(id), end, theirs)
			}
			add(theirs)
		})
	}
	group.Wait()
	return counts, nil
}

// countOwn counts the lanes that this hub owns: from memory, where it has read
// them.
func (h *Hub) countOwn(ctx context.Context) (map[string]int, error) {
	end, _, err := h.ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	var unread []subjects.Name
	for _, l := range h.lanes.all() {
		switch s := l.Status(); {
		case !l.Owned():
		case s.Last == 0:
			unread = append(unread, l.Service())
		default:
			counts[h.stateOf(l.Service(), s.State, end)]++
		}
	}
	h.readCount(ctx, unread, end, counts)
	return counts, nil
}

// stateOf is the state of a lane, as its status has it.
func (h *Hub) stateOf(service subjects.Name, s lane.State, end ingest.Mark) string {
	var status laneReport
	h.describeState(&status, service, s, end)
	h.describeQuota(&status, service)
	switch status.State {
	case contract.LaneDetached, contract.LaneParked:
	default:
		if h.lacking.has(consumersOf(service)) {
			return contract.LaneStalled
		}
	}
	return status.State
}

// askCount asks another hub.
func (h *Hub) askCount(ctx context.Context, id string) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	m, err := h.nc.RequestWithContext(ctx, forwardPrefix+id+"."+countVerb+"."+pingService, nil)
	if err != nil {
		return nil, err
	}
	if text := m.Header.Get(micro.ErrorHeader); text != "" {
		return nil, errors.New(text) // a hub that does not know how
	}
	var counts map[string]int
	return counts, json.Unmarshal(m.Data, &counts)
}

// readCount adds lanes that have to be read. Those for which there is no time
// are stalled, as far as anybody can tell.
func (h *Hub) readCount(ctx context.Context, services []subjects.Name, end ingest.Mark, counts map[string]int) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	for len(services) > 0 {
		some := services[:min(len(services), pageAtOnce)]
		services = services[len(some):]
		states, errs := readAll(ctx, some, h.freshState)
		for i, service := range some {
			switch {
			case errors.Is(errs[i], lane.ErrNoLane):
			case errors.Is(errs[i], lane.ErrStateLost), errors.Is(errs[i], lane.ErrNewer):
				counts[contract.LaneParked]++
			case errs[i] != nil:
				counts[contract.LaneStalled]++
			default:
				counts[h.stateOf(service, states[i], end)]++
			}
		}
	}
}

// lanesOf are the lanes that a hub owns.
func (h *Hub) lanesOf(id string) []subjects.Name {
	var services []subjects.Name
	for _, l := range h.lanes.all() {
		if h.ownerOf(l.Service()) == id {
			services = append(services, l.Service())
		}
	}
	return services
}

// count is how many lanes there are.
func (s *lanes) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byName)
}
