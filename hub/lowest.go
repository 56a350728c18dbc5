package hub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/subjects"
)

// standTime bounds the wait for one lane's position. An answer takes milliseconds; a
// change of leaders loses it, and the request is repeated.
const standTime = 3 * time.Second

// needs answers a trim of ingest for the lanes.
type needs struct{ *Hub }

// Need asks every lane's stream where the lane stands.
func (h needs) Need(ctx context.Context) (retention.Need, error) {
	services, err := h.lanes.List(ctx)
	if err != nil {
		return retention.Need{}, err
	}
	services = h.withRegistered(services)
	_, b, err := h.ingest.End(ctx)
	if err != nil {
		return retention.Need{}, err
	}
	found, ledger := retention.NewNeed(b.Last), h.ingest.Ledger()
	var mu sync.Mutex // guards found
	h.lanes.Each(ctx, services, func(ctx context.Context, service subjects.Name) {
		ctx, cancel := context.WithTimeout(ctx, standTime)
		defer cancel()
		tip, err := lane.ReadTip(ctx, h.js, service)
		mu.Lock()
		defer mu.Unlock()
		found.Take(service, standing(tip.State, err), ledger, b.Last)
	})
	return found, ctx.Err()
}

// Fence writes the state records of lanes again, unchanged. A record that was on its way
// to the lane since before a trim is refused from then on. A lane that does not exist or
// was dropped needs no fence.
func (h needs) Fence(ctx context.Context, services []subjects.Name, all bool) (map[subjects.Name]error, error) {
	if all {
		names, err := h.lanes.List(ctx)
		if err != nil {
			return nil, err
		}
		services = h.withRegistered(names)
	}
	unfenced := make(map[subjects.Name]error)
	var mu sync.Mutex // guards unfenced
	h.lanes.Each(ctx, services, func(ctx context.Context, service subjects.Name) {
		ctx, cancel := context.WithTimeout(ctx, laneTime)
		defer cancel()
		err := h.fence(ctx, service)
		if err == nil || errors.Is(err, lane.ErrNoLane) || errors.Is(err, lane.ErrDropped) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		unfenced[service] = err
	})
	return unfenced, ctx.Err()
}

// fence writes the state record of one lane again.
func (h needs) fence(ctx context.Context, service subjects.Name) error {
	// The stream is asked: this hub may not know yet that a lane was created.
	before, err := lane.ReadTip(ctx, h.js, service)
	if err != nil {
		return err
	}
	l, err := h.lanes.Existing(ctx, service)
	if err != nil {
		return err
	}
	_, err = l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		if tip.State.Dropped {
			return tip.State, false, lane.ErrDropped
		}
		// Any message behind the tip that was read before is as good as a record: it took
		// the sequence that a record on its way expects. The owner of a busy lane appends
		// all the time, and this hub's record would never fit between its appends.
		return tip.State, tip.Last <= before.Last, nil
	})
	return err
}

// standing is the result of reading a lane's stream: its state, or why the state
// cannot be read. A trim passes a lane only if the server itself says that the lane
// does not exist.
func standing(s lane.State, err error) retention.Standing {
	if errors.Is(err, lane.ErrNoLane) {
		return retention.Standing{Gone: true}
	}
	if err != nil {
		return retention.Standing{Err: err}
	}
	return s.Standing()
}

// withRegistered adds the services that the registry knows. It is a third source of
// names, for a lane that is missing both in the server's list and in this hub's
// memory.
func (h *Hub) withRegistered(services []subjects.Name) []subjects.Name {
	snapshot := h.cfg.Registry.Snapshot()
	if snapshot == nil {
		return services
	}
	all := make(map[subjects.Name]bool, len(services))
	for _, service := range services {
		all[service] = true
	}
	for path := range snapshot.Entries {
		if _, service, ok := record.ParseInterestPath(path); ok {
			all[service] = true
		}
	}
	return lanes.Sorted(all)
}
