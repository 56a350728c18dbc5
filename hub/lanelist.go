package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// discoverEvery is how often a hub looks for lanes of others.
	discoverEvery = 5 * time.Second
	// maxLooks bounds the lanes that are asked about at a time.
	maxLooks = 16
)

// listLanes returns the services that have a lane, sorted. The names come from the
// meta layer, which knows streams whose leader is away, and from this hub's memory.
// A lane in the list may still turn out not to exist: only the server's explicit
// "not found" (lane.ErrNoLane) says that. One that cannot be read is in the list. A
// stream of a lane's name that is not the hub's is left out, and is an alarm.
func (h *Hub) listLanes(ctx context.Context) ([]subjects.Name, error) {
	names, err := jsapi.StreamNames(ctx, h.js, "sub.>")
	if err != nil {
		return nil, err
	}
	h.alarms.clearAll(foreignAlarm(""), func(about string) bool {
		_, there := slices.BinarySearch(names, strings.TrimPrefix(about, foreignAlarm("")))
		return there
	})
	found := make(map[subjects.Name]bool)
	if h.lanes != nil {
		for _, l := range h.lanes.all() {
			found[l.Service()] = true
		}
	}
	var unknown []subjects.Name
	for _, name := range names {
		if service, ok := subjects.ParseLaneStream(name); ok && !found[service] {
			unknown = append(unknown, service)
		}
	}
	var mu sync.Mutex // guards found
	h.eachLane(ctx, unknown, func(ctx context.Context, service subjects.Name) {
		if h.mayBeLane(ctx, service) {
			mu.Lock()
			defer mu.Unlock()
			found[service] = true
		}
	})
	return sortedNames(found), ctx.Err()
}

func sortedNames(set map[subjects.Name]bool) []subjects.Name {
	list := make([]subjects.Name, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b subjects.Name) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// eachLane calls look for each service, for several at a time, and returns when all
// calls have.
func (h *Hub) eachLane(ctx context.Context, services []subjects.Name, look func(context.Context, subjects.Name)) {
	var group errgroup.Group
	group.SetLimit(maxLooks)
	for _, service := range services {
		group.Go(func() error {
			if ctx.Err() == nil {
				look(ctx, service)
			}
			return nil
		})
	}
	_ = group.Wait() // look reports by itself
}

// mayBeLane looks at a stream of a lane's name that this hub has not taken up. It is
// false for a stream that is gone, that has no state record yet, or that somebody
// else made.
func (h *Hub) mayBeLane(ctx context.Context, service subjects.Name) bool {
	name := subjects.LaneStream(service)
	stream, err := h.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return false
	case err != nil:
		return true // whoever reads it learns why it cannot be read
	}
	info := stream.CachedInfo()
	if !hubstream.Is(info.Config) {
		h.alarms.raise(h.log, foreignAlarm(name), (&hubstream.ForeignError{Stream: name}).Error()+
			"; until then no service can have this name")
		return false
	}
	h.alarms.clear(foreignAlarm(name))
	if info.State.LastSeq == 0 {
		return false
	}
	h.allowBatches(ctx, info.Config)
	return true
}

// refuseForeign refuses to start for the first time beside a stream that somebody
// else made under a lane's name: the account is likely not the hub's. Once the hub
// has streams of its own, such a stream is an alarm.
func (h *Hub) refuseForeign(ctx context.Context) error {
	for _, own := range []string{contract.StreamIngest, contract.StreamLedger} {
		if _, err := h.js.Stream(ctx, own); !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
	}
	names, err := jsapi.StreamNames(ctx, h.js, "sub.>")
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := subjects.ParseLaneStream(name); !ok {
			continue
		}
		stream, err := h.js.Stream(ctx, name)
		if err == nil && !hubstream.Is(stream.CachedInfo().Config) {
			return &hubstream.ForeignError{Stream: name}
		}
	}
	return nil
}

// foreignAlarm is what the alarm about somebody else's stream is kept under.
func foreignAlarm(stream string) string { return "foreign stream " + stream }

// allowBatches has a lane that was created before the server had fast ingest take
// it. Until that is done the lane's appends fail, and say so.
func (h *Hub) allowBatches(ctx context.Context, cfg jetstream.StreamConfig) {
	if !h.fastBatches() || cfg.AllowBatchPublish {
		return
	}
	cfg.AllowBatchPublish = true
	if _, err := h.js.UpdateStream(ctx, cfg); err != nil {
		h.log.Warn("allow batches in a lane", "stream", cfg.Name, "err", err)
	}
}

func (h *Hub) fastBatches() bool { return h.fast && h.replicas == 1 }

// findLanes takes up lanes that other hubs created, now and then and when told.
func (h *Hub) findLanes(ctx context.Context) error {
	found, err := h.listLanes(ctx)
	if err != nil {
		return fmt.Errorf("list lanes: %w", err)
	}
	for _, service := range found {
		h.lanes.add(service)
	}
	return nil
}
