package lanes

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/subjects"
)

const (
	// findEvery is how often a hub looks for lanes of others.
	findEvery = 5 * time.Second
	// maxLooks bounds the lanes that are asked about at a time.
	maxLooks = 16
)

// List returns the services that have a lane, sorted. The names come from the meta
// layer, which knows streams whose leader is away, and from this hub's memory. A lane
// in the list may still turn out not to exist: only the server's explicit "not found"
// (lane.ErrNoLane) says that. One that cannot be read is in the list. A stream of a
// lane's name that is not the hub's is left out, and raises an alarm.
func (s *Set) List(ctx context.Context) ([]subjects.Name, error) {
	names, err := jsapi.StreamNames(ctx, s.cfg.JS, "sub.>")
	if err != nil {
		return nil, err
	}
	s.cfg.Alarms.ClearKind(alarm.ForeignLane, func(stream string) bool {
		_, there := slices.BinarySearch(names, stream)
		return there
	})
	found := make(map[subjects.Name]bool)
	for _, l := range s.All() {
		found[l.Service()] = true
	}
	var unknown []subjects.Name
	for _, name := range names {
		if service, ok := subjects.ParseLaneStream(name); ok && !found[service] {
			unknown = append(unknown, service)
		}
	}
	var mu sync.Mutex // guards found
	s.Each(ctx, unknown, func(ctx context.Context, service subjects.Name) {
		if s.mayBeLane(ctx, service) {
			mu.Lock()
			defer mu.Unlock()
			found[service] = true
		}
	})
	return Sorted(found), ctx.Err()
}

// Sorted returns the names of a set in order.
func Sorted(set map[subjects.Name]bool) []subjects.Name {
	list := make([]subjects.Name, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b subjects.Name) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// Each calls look for each service, for several at a time, and returns when all
// calls have.
func (s *Set) Each(ctx context.Context, services []subjects.Name, look func(context.Context, subjects.Name)) {
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
// false for a stream that is gone, that has no state record yet, or that is not the
// hub's.
func (s *Set) mayBeLane(ctx context.Context, service subjects.Name) bool {
	name := subjects.LaneStream(service)
	stream, err := s.cfg.JS.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return false
	case err != nil:
		return true // the reader learns why the lane cannot be read
	}
	info := stream.CachedInfo()
	if !hubstream.Is(info.Config) {
		s.cfg.Alarms.Raise(alarm.About{Kind: alarm.ForeignLane, Name: name}, (&hubstream.ForeignError{Stream: name}).Error()+
			"; until then no service can have this name")
		return false
	}
	s.cfg.Alarms.Clear(alarm.About{Kind: alarm.ForeignLane, Name: name})
	if info.State.LastSeq == 0 {
		return false
	}
	s.allowBatches(ctx, info.Config)
	return true
}

// allowBatches enables fast ingest on a lane that was created before the server had
// it. Until then the lane's appends fail with an error that says so.
func (s *Set) allowBatches(ctx context.Context, cfg jetstream.StreamConfig) {
	if !s.cfg.Fast || cfg.AllowBatchPublish {
		return
	}
	cfg.AllowBatchPublish = true
	if _, err := s.cfg.JS.UpdateStream(ctx, cfg); err != nil {
		s.cfg.Logger.Warn("allow batches in a lane", "stream", cfg.Name, "err", err)
	}
}
