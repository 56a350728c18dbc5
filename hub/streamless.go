package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// goneConfirm is how long a service must have been without a stream before that
// is an alarm: a drop deletes the stream before the records.
const goneConfirm = time.Second

// goneStream is a service that the registry has records of and JetStream no
// stream.
type goneStream struct {
	since time.Time
	// looked is that this run has looked, found what it found.
	looked, found bool
}

// streamless reports whether the stream of a record's service is gone, so that
// nothing is copied for it: the hub is degraded, and there is an alarm for each
// record. Nobody but the service can say where it should start anew.
func (r *reconciler) streamless(ctx context.Context, path string, service subjects.Name) bool {
	h := r.hub
	if h.lanes.get(service) != nil {
		return false
	}
	g := r.gone[service]
	if g == nil {
		g = &goneStream{since: time.Now()}
		r.gone[service] = g
	}
	if !g.looked {
		_, err := h.freshState(ctx, service)
		g.looked, g.found = true, errors.Is(err, lane.ErrNoLane)
	}
	if !g.found {
		return false
	}
	if _, err := h.cfg.Registry.Get(ctx, path); errors.Is(err, tree.ErrNotFound) {
		return true // removed just now, and the local copy is behind
	}
	h.lacking.set(streamOf(service), fmt.Sprintf("service %s is registered and its stream %s is gone: nothing is copied for it; register it again with a start, or delete its registry records",
		service, subjects.LaneStream(service)))
	if time.Since(g.since) >= goneConfirm {
		r.alarms.raise(path, fmt.Sprintf("registry record %s has no lane: its stream is gone; register again, or delete the record", path))
	}
	return true
}

// streamOf names a lane's stream among what lanes lack.
func streamOf(service subjects.Name) string { return "stream of " + service.String() }

// forgetFound ends a run: services that have their stream again, or no record any
// more, lack nothing.
func (r *reconciler) forgetFound() {
	for service, g := range r.gone {
		if g.looked && g.found {
			g.looked = false
			continue
		}
		delete(r.gone, service)
		r.hub.lacking.clear(streamOf(service))
	}
}

// next is the time until the next run when nothing tells of a change.
func (r *reconciler) next() time.Duration {
	if r.away {
		return reconcileAway
	}
	for _, g := range r.gone {
		if time.Since(g.since) < goneConfirm+reconcilePause {
			return goneConfirm
		}
	}
	return reconcileEvery
}

// errNoSnapshot: a lane lost its state record, and the registry is not read yet.
var errNoSnapshot = errors.New("the lane's state record is gone, and what its service asked for is not known before the registry is read")

// recordedState is what the registry and the consumers say of a service whose
// lane lost its state record. The interests are those that were registered: they
// say what the service is missing until it starts anew. Nothing is copied for
// them, since the lane is detached, and whoever registers then ends them.
func (h *Hub) recordedState(ctx context.Context, service subjects.Name) (lane.State, error) {
	snapshot := h.cfg.Registry.Snapshot()
	if snapshot == nil && time.Since(h.started) < h.cfg.StartTimeout {
		return lane.State{}, errNoSnapshot
	}
	queue, maxBytes, recorded := h.recordedQueue(service)
	if !recorded {
		if seen, err := lane.QueueOf(ctx, h.js, service); err != nil {
			h.log.Warn("read the queue of a lane off its consumers", "service", service.String(), "err", err)
		} else {
			queue = seen
		}
	}
	state := lane.State{Queue: queue, MaxBytes: maxBytes, Phase: lane.Live}
	if snapshot == nil {
		return state, nil
	}
	for _, path := range sortedKeys(snapshot.Entries) {
		entity, of, ok := parseInterestPath(path)
		if !ok || of != service {
			continue
		}
		r, newer, err := parseInterestRecord(snapshot.Entries[path].Value)
		if err != nil || newer || r.ID == "" || r.Since == nil {
			continue
		}
		in := lane.Interest{
			ID: r.ID, Entity: entity.String(), Ops: r.Ops, Filter: r.Filter, Fields: r.Fields, Echo: r.Echo, Since: *r.Since, Rev: r.Rev,
		}
		if _, err := in.Compile(); err == nil {
			state.Interests = append(state.Interests, in)
		}
	}
	return state, nil
}
