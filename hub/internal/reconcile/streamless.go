package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/subjects"
)

// goneConfirm is how long a service must have been without a stream before an alarm
// is raised: a drop deletes the stream before the records.
const goneConfirm = time.Second

// goneStream is a service that has records in the registry and no stream.
type goneStream struct {
	since time.Time
	// looked says that this run has looked, found is the result.
	looked, found bool
}

// streamless reports whether the stream of a record's service is gone, so that
// nothing is copied for it: the hub is degraded, and there is an alarm for each
// record. Only the service can say where it should start again.
func (r *Reconciler) streamless(ctx context.Context, path string, service subjects.Name) bool {
	if r.cfg.Lanes.Get(service) != nil {
		return false
	}
	g := r.gone[service]
	if g == nil {
		g = &goneStream{since: time.Now()}
		r.gone[service] = g
	}
	if !g.looked {
		_, err := r.cfg.Lanes.State(ctx, service)
		g.looked, g.found = true, errors.Is(err, lane.ErrNoLane)
	}
	if !g.found {
		return false
	}
	if r.cfg.Book.Gone(ctx, path) {
		return true // removed just now, and the local copy is behind
	}
	r.cfg.Lacking.Set(service, lanes.Stream, fmt.Sprintf("service %s is registered and its stream %s is gone: nothing is copied for it; register it again with a start, or delete its registry records",
		service, subjects.LaneStream(service)))
	if time.Since(g.since) >= goneConfirm {
		r.alarms.raise(path, fmt.Sprintf("registry record %s has no lane: its stream is gone; register again, or delete the record", path))
	}
	return true
}

// forgetFound ends a run: it forgets services that have their stream again, or no
// record any more.
func (r *Reconciler) forgetFound() {
	for service, g := range r.gone {
		if g.looked && g.found {
			g.looked = false
			continue
		}
		delete(r.gone, service)
		r.cfg.Lacking.Clear(service, lanes.Stream)
	}
}

// next is the time until the next run without a notice of a change.
func (r *Reconciler) next() time.Duration {
	if r.away || r.unsettled {
		return everyAway
	}
	for _, g := range r.gone {
		if time.Since(g.since) < goneConfirm+pause {
			return goneConfirm
		}
	}
	return every
}
