package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub/ingest"
	"github.com/replhub/replhub/lane"
	"github.com/replhub/replhub/subjects"
)

// nearlyFull is how full ingest is when a lane that pins it is detached.
const nearlyFull = 0.9

// laneTime bounds the wait for one lane: its loop may be in trouble.
const laneTime = 10 * time.Second

// trimAll removes what nobody needs any more, every now and then.
func (h *Hub) trimAll(ctx context.Context) error {
	for {
		timer := time.NewTimer(h.cfg.TrimEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
			h.trimLanes(ctx)
		case <-h.pressed:
			timer.Stop()
		}
		if err := h.trimIngest(ctx); ctx.Err() == nil {
			h.troubles.trimIngest.Met(err)
		}
	}
}

// trimLanes trims the lanes that this hub copies into.
func (h *Hub) trimLanes(ctx context.Context) {
	for _, l := range h.lanes.all() {
		if !l.Owned() || l.Parked() != "" || ctx.Err() != nil {
			continue
		}
		trimming, cancel := context.WithTimeout(ctx, laneTime)
		purged, err := l.Trim(trimming, time.Now().Add(-h.cfg.History))
		cancel()
		switch {
		case errors.Is(err, lane.ErrNoLane) || ctx.Err() != nil:
		case errors.Is(err, lane.ErrNoConsumer):
			h.repairConsumers(ctx, l.Service(), err)
		case !h.troubles.trimLane.Met(l.Service().String(), err):
		case purged > 0:
			h.log.Debug("trimmed lane", "service", l.Service().String(), "messages", purged)
		}
	}
}

// repairConsumers makes the consumers that a lane should have: somebody deleted
// one, or a rewind was cut short.
func (h *Hub) repairConsumers(ctx context.Context, service subjects.Name, cause error) {
	h.log.Error("making a lane's consumers again", "service", service.String(), "err", cause)
	state, err := h.freshState(ctx, service)
	if err == nil {
		_, err = h.ensureConsumers(ctx, service, state)
	}
	if err != nil {
		h.log.Warn("make a lane's consumers again", "service", service.String(), "err", err)
	}
}

// trimIngest moves the floor to what the lowest lane still needs, and purges
// below it what is older than the history. It is one hub's work, the owner of
// ingest's name; a second one does no harm.
func (h *Hub) trimIngest(ctx context.Context) error {
	ingestName, err := subjects.ParseName("ingest")
	if err != nil {
		return err
	}
	if h.ownerOf(ingestName) != h.cfg.ID {
		return nil
	}
	b, err := h.ingest.Bounds(ctx)
	if err != nil {
		return err
	}
	guard := time.Now().Add(-h.cfg.TrimGuard)
	fill := float64(b.Bytes) / float64(h.cfg.IngestMaxBytes)
	if fill < nearlyFull && b.FirstTime.After(time.Now().Add(-h.cfg.History)) {
		return nil // all of it is history to be kept: no need to ask the lanes
	}
	pinnings, err := h.ingest.Pinnings(ctx) // before the lanes are read
	if err != nil {
		return err
	}
	lowest, pinner, err := h.lowestNeeded(ctx)
	if err != nil {
		return err
	}
	history := time.Now().Add(-h.cfg.History)
	if fill >= nearlyFull {
		// History goes before publishers are refused, or a lane detached.
		history = guard
	}
	if history.After(guard) {
		history = guard
	}
	_, purged, err := h.ingest.Trim(ctx, lowest, history, pinnings)
	if err != nil {
		return err
	}
	if purged > 0 {
		h.log.Info("trimmed ingest", "events", purged, "below", lowest)
		return nil
	}
	if fill < nearlyFull || h.cfg.OnFull != OnFullDetach || pinner == nil {
		return nil
	}
	old, err := h.ingest.SeqAt(ctx, guard)
	if limit := min(old, b.Last); err != nil || limit <= b.First || lowest >= limit {
		return err // what is too young to go fills it, not the lane
	}
	if err := h.detachPinner(ctx, pinner, b); err != nil {
		return err
	}
	return h.trimIngest(ctx)
}

// press has ingest trimmed soon: it is nearly full.
func (h *Hub) press() {
	select {
	case h.pressed <- struct{}{}:
	default:
	}
}

// lowestNeeded is the ingest sequence that the lane furthest behind stands at,
// as all lanes' streams say, and that lane. A lane that cannot be read pins
// everything: the error is returned.
func (h *Hub) lowestNeeded(ctx context.Context) (uint64, *lane.Lane, error) {
	found, err := h.listLanes(ctx)
	if err != nil {
		return 0, nil, err
	}
	_, b, err := h.ingest.End(ctx)
	if err != nil {
		return 0, nil, err
	}
	lowest := b.Last
	var pinner *lane.Lane
	for _, service := range found {
		tip, err := lane.ReadTip(ctx, h.js, service)
		if errors.Is(err, lane.ErrNoLane) {
			continue
		}
		if err != nil {
			return 0, nil, fmt.Errorf("read where lane %s stands: %w", service, err)
		}
		pos, needs := tip.State.Lowest()
		if !needs {
			continue
		}
		// A position of an earlier epoch: the lane has not resumed yet, and
		// needs all of the present one.
		seq := pos.Seq
		if pos.Epoch < h.ingest.EpochOf(min(pos.Seq, b.Last)) {
			seq = 0
		}
		if seq < lowest {
			lowest, pinner = seq, h.lanes.add(service)
		}
	}
	return lowest, pinner, nil
}

// detachPinner cuts off the lane that keeps ingest full, so that one dead
// subscriber does not stop the publishers.
func (h *Hub) detachPinner(ctx context.Context, l *lane.Lane, b ingest.Bounds) error {
	reason := fmt.Sprintf("ingest is %d%% full (%d of %d bytes) of events that this lane had not taken; its stream is full or stalled",
		int(100*float64(b.Bytes)/float64(h.cfg.IngestMaxBytes)), b.Bytes, h.cfg.IngestMaxBytes)
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	_, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		return tip.State.Detach(reason, time.Now().UTC()), tip.State.Detached == nil, nil
	})
	if err != nil {
		return fmt.Errorf("detach lane %s: %w", l.Service(), err)
	}
	h.log.Error("lane detached: register again to start anew", "service", l.Service().String(), "reason", reason)
	h.tellDetached(l.Service(), reason)
	return nil
}

// tellDetached tells the service's instances, as far as they listen; whoever
// was away sees it in describe and at the next registration.
func (h *Hub) tellDetached(service subjects.Name, reason string) {
	if err := h.nc.Publish("replhub._detached."+service.String(), []byte(reason)); err != nil {
		h.log.Debug("tell a service that it is detached", "err", err)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
