package hub

import (
	"context"
	"errors"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/subjects"
)

// laneTime bounds the wait for one lane: its loop may be in trouble.
const laneTime = 10 * time.Second

// trimLanesOften trims the lanes that this hub copies into, every now and then.
func (h *Hub) trimLanesOften(ctx context.Context) error {
	for retry.Sleep(ctx, h.cfg.TrimEvery) == nil {
		h.lanes.Each(ctx, servicesOf(h.lanes.All()), h.trimLane)
	}
	return nil
}

// trimIngestOften trims ingest, every now and then and when it is nearly full. It
// does not wait for the lanes' trims, of which one may take long.
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
		h.log.Debug("trim lane", "service", service.String(), "err", err) // the watch of consumers sees to it
	case !h.troubles.trimLane.Met(service.String(), err):
	case purged > 0:
		h.log.Debug("trimmed lane", "service", service.String(), "messages", purged)
	}
}

// trimIngest moves the floor to what the lowest lane still needs, and purges
// below it what is older than the history. It is one hub's work, the owner of
// ingest's name; a second one does no harm.
func (h *Hub) trimIngest(ctx context.Context) error {
	if !h.hubs.TrimsIngest() {
		h.unknown.reset()
		return nil
	}
	b, err := h.ingest.Bounds(ctx)
	if err != nil {
		return err
	}
	now := h.now()
	full := h.nearlyFull(b)
	if !full && b.FirstTime.After(now.Add(-h.cfg.History)) {
		h.unknown.reset()
		return nil // all of it is history to be kept: no need to ask the lanes
	}
	pinnings, err := h.ingest.Pinnings(ctx) // before the lanes are read
	if err != nil {
		return err
	}
	need, err := h.lowestNeeded(ctx)
	if err != nil {
		return err
	}
	if h.unknown.set(h.log, need.unknown); len(need.unknown) > 0 {
		return nil // they may need anything
	}
	// Young events stay, whoever has them: a server that syncs lazily can lose a
	// lane's newest copies, and the dedupe window is rebuilt from what ingest holds.
	guard := now.Add(-h.cfg.TrimGuard)
	history := now.Add(-h.cfg.History)
	if full || history.After(guard) {
		history = guard // history goes before publishers are refused, or a lane detached
	}
	_, purged, err := h.ingest.Trim(ctx, need.seq, history, pinnings)
	if err != nil {
		return err
	}
	if purged > 0 {
		h.log.Info("trimmed ingest", "events", purged, "below", need.seq)
		return nil
	}
	if !full || h.cfg.OnFull != OnFullDetach || !need.pinned {
		return nil
	}
	old, err := h.ingest.SeqAt(ctx, guard)
	limit := min(old, b.Last)
	if err != nil || limit <= b.First || need.seq >= limit {
		return err // what is too young to go fills it, not the lane
	}
	detached, err := h.askToDetach(ctx, need.pinner, b, limit)
	if err != nil || !detached {
		return err
	}
	return h.trimIngest(ctx) // perhaps another lane pins it as well
}

// press has ingest trimmed soon: it is nearly full.
func (h *Hub) press() {
	select {
	case h.pressed <- struct{}{}:
	default:
	}
}
