package report

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// VerbCount asks a hub for the states of the lanes that it owns.
const VerbCount = "count"

// answerTime bounds the wait for another hub.
const answerTime = 500 * time.Millisecond

// countLanes counts all lanes by state. Each hub knows the state of its own
// without asking the server; the lanes of a hub that does not answer are read.
func (r *Reporter) countLanes(ctx context.Context) (map[string]int, error) {
	end, _, err := r.cfg.Ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := r.CountOwn(ctx)
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
	for _, id := range r.cfg.Hubs.Others() {
		group.Go(func() {
			theirs, err := r.askCount(ctx, id)
			if err != nil {
				theirs = make(map[string]int)
				r.readCount(ctx, r.cfg.Lanes.OwnedBy(id), end, theirs)
			}
			add(theirs)
		})
	}
	group.Wait()
	return counts, nil
}

// CountOwn counts the lanes that this hub owns: from memory, where it has read
// them.
func (r *Reporter) CountOwn(ctx context.Context) (map[string]int, error) {
	end, _, err := r.cfg.Ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	var unread []subjects.Name
	for _, l := range r.cfg.Lanes.All() {
		switch s := l.Status(); {
		case !l.Owned():
		case s.Last == 0:
			unread = append(unread, l.Service())
		default:
			counts[r.stateOf(l.Service(), s.State, end)]++
		}
	}
	r.readCount(ctx, unread, end, counts)
	return counts, nil
}

// stateOf is the state of a lane, as its status has it.
func (r *Reporter) stateOf(service subjects.Name, s lane.State, end ingest.Mark) string {
	var status Lane
	r.describeState(&status, service, s, end)
	r.describeQuota(&status, service)
	switch status.State {
	case contract.LaneDetached, contract.LaneIncompatible:
	default:
		if r.cfg.Lacking.Lacks(service, lanes.Consumers) {
			return contract.LaneStalled
		}
	}
	return status.State
}

// askCount asks another hub.
func (r *Reporter) askCount(ctx context.Context, id string) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	m, err := r.cfg.Hubs.AskHub(ctx, id, VerbCount)
	if err != nil {
		return nil, err
	}
	if text := m.Header.Get(micro.ErrorHeader); text != "" {
		return nil, errors.New(text) // an older hub that does not know this request
	}
	var counts map[string]int
	return counts, json.Unmarshal(m.Data, &counts)
}

// readCount adds lanes that have to be read. Lanes for which no time is left count as
// stalled.
func (r *Reporter) readCount(ctx context.Context, services []subjects.Name, end ingest.Mark, counts map[string]int) {
	ctx, cancel := context.WithTimeout(ctx, reply.PageTime)
	defer cancel()
	for len(services) > 0 {
		some := services[:min(len(services), reply.AtOnce)]
		services = services[len(some):]
		states, errs := reply.ReadAll(ctx, some, r.cfg.Lanes.State)
		for i, service := range some {
			switch {
			case errors.Is(errs[i], lane.ErrNoLane):
			case errors.Is(errs[i], lane.ErrStateLost), errors.Is(errs[i], lane.ErrNewer):
				counts[contract.LaneIncompatible]++
			case errs[i] != nil:
				counts[contract.LaneStalled]++
			default:
				counts[r.stateOf(service, states[i], end)]++
			}
		}
	}
}
