package hub

import (
	"context"
	"errors"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/subjects"
)

// laneTime bounds the wait for one lane, because its loop may be in trouble.
const laneTime = 10 * time.Second

// trimLanesOften trims the lanes that this hub copies into, periodically.
func (h *Hub) trimLanesOften(ctx context.Context) error {
	for retry.Sleep(ctx, h.cfg.TrimEvery) == nil {
		h.lanes.Each(ctx, servicesOf(h.lanes.All()), h.trimLane)
	}
	return nil
}

// trimIngestOften trims ingest, periodically and when it is nearly full. It does not
// wait for the trims of lanes, because one may take long.
func (h *Hub) trimIngestOften(ctx context.Context) error {
	for {
		timer := time.NewTimer(h.cfg.TrimEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-h.pressed:
			timer.Stop()
		}
		if err := h.trimIngest(ctx); ctx.Err() == nil {
			h.troubles.trimIngest.Met(err)
		}
	}
}

func servicesOf(lanes []*lane.Lane) []subjects.Name {
	services := make([]subjects.Name, 0, len(lanes))
	for _, l := range lanes {
		services = append(services, l.Service())
	}
	return services
}

// trimLane trims a lane if this hub copies into it.
func (h *Hub) trimLane(ctx context.Context, service subjects.Name) {
	l := h.lanes.Get(service)
	if l == nil || !l.Owned() || l.Parked() != "" {
		return
	}
	trimming, cancel := context.WithTimeout(ctx, laneTime)
	purged, err := l.Trim(trimming, h.now().Add(-h.cfg.History))
	cancel()
	switch {
	case errors.Is(err, lane.ErrNoLane) || ctx.Err() != nil:
	case errors.Is(err, lane.ErrNoConsumer):
		h.log.Debug("trim lane", "service", service.String(), "err", err) // the watch of consumers handles it
	case !h.troubles.trimLane.Met(service.String(), err):
	case purged > 0:
		h.log.Debug("trimmed lane", "service", service.String(), "messages", purged)
	}
}

// trimIngest trims ingest if this hub is responsible for that, and has the lane
// detached that keeps a full ingest from being trimmed.
func (h *Hub) trimIngest(ctx context.Context) error {
	for h.hubs.TrimsIngest() {
		done, err := h.ingest.Trim(ctx, h.retention(), needs{h})
		if err != nil {
			return err
		}
		if !done.Looked {
			break // nothing is old enough to go
		}
		h.untrimmed.set(h.log, done)
		if done.Purged > 0 {
			h.log.Info("trimmed ingest", "events", done.Purged, "below", done.Need.Seq)
		}
		if done.Unproven {
			h.log.Warn("ingest is not trimmed: it was rolled back or created again, and its lanes have not resumed yet", "position", done.Need.Earliest.String())
		}
		if done.Below == 0 || h.cfg.OnFull != OnFullDetach {
			return nil
		}
		detached, err := h.askToDetach(ctx, done.Need.Pinner, done.Bounds, done.Below)
		if err != nil || !detached {
			return err
		}
		// Perhaps another lane also pins ingest.
	}
	h.untrimmed.reset()
	return nil
}

// retention says which events a trim of ingest keeps beside those that lanes need.
func (h *Hub) retention() retention.Policy {
	return retention.Policy{History: h.cfg.History, Guard: h.cfg.TrimGuard, FullBytes: uint64(fullRatio * float64(h.cfg.IngestMaxBytes))}
}

// press requests a trim soon, because ingest is nearly full.
func (h *Hub) press() {
	select {
	case h.pressed <- struct{}{}:
	default:
	}
}
