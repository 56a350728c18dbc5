package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
	unknown := make(map[subjects.Name]error)
	var mu sync.Mutex // guards unknown
	h.lanes.Each(ctx, services, func(ctx context.Context, service subjects.Name) {
		ctx, cancel := context.WithTimeout(ctx, laneTime)
		defer cancel()
		err := h.fence(ctx, service)
		if err == nil || errors.Is(err, lane.ErrNoLane) || errors.Is(err, lane.ErrDropped) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		unknown[service] = err
	})
	return unknown, ctx.Err()
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
	lowest, needs := s.Lowest()
	at := s.Pos
	for _, f := range s.Fills {
		if f.Snapshot == nil && f.At.Position == lowest {
			at = f.At
		}
	}
	return retention.Standing{Needs: needs, At: at}
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

// unknownLanes are the lanes whose position cannot be read. While there is one,
// ingest is not trimmed.
type unknownLanes struct {
	mu    sync.Mutex // guards lanes
	lanes map[subjects.Name]unknownLane
}

type unknownLane struct {
	since time.Time
	err   error
}

// set takes the present unknown lanes, and logs which are new and which are known
// again.
func (u *unknownLanes) set(log *slog.Logger, now map[subjects.Name]error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	next := make(map[subjects.Name]unknownLane, len(now))
	for service, err := range now {
		known, was := u.lanes[service]
		if !was {
			known.since = time.Now()
			log.Warn("ingest is not trimmed: where a lane stands cannot be read", "service", service.String(), "err", err)
		}
		known.err = err
		next[service] = known
	}
	for service, was := range u.lanes {
		if _, still := next[service]; !still {
			log.Info("a lane can be read again", "service", service.String(), "after", time.Since(was.since).Round(time.Millisecond).String())
		}
	}
	u.lanes = next
}

// reset forgets the unknown lanes: this hub does not trim ingest now.
func (u *unknownLanes) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lanes = nil
}

// degraded says for each lane what is wrong and what to do.
func (u *unknownLanes) degraded() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var texts []string
	for service, l := range u.lanes {
		todo := fmt.Sprintf("bring back the servers that hold stream %s, or give the lane up with `replhub drop %s --lost`", subjects.LaneStream(service), service)
		if errors.Is(l.err, lane.ErrNewer) {
			todo = "upgrade this hub"
		}
		texts = append(texts, fmt.Sprintf("ingest is not trimmed: where lane %s stands cannot be read since %s (%v); %s",
			service, l.since.UTC().Format(time.RFC3339), l.err, todo))
	}
	slices.SortFunc(texts, strings.Compare)
	return texts
}
