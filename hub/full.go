package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// fullRatio is how full ingest is when history is trimmed early, and when a lane
	// that pins ingest without progress is detached.
	fullRatio = 0.9
	// stuckAfter is how long a lane may stand at one place before it is stuck: many
	// times as long as a lane with pending events takes for a block.
	stuckAfter = 2 * time.Second
	// lookAgain is the longest time between two looks that belong together. If the
	// hub itself stood still for longer, its lanes had no time to move.
	lookAgain = 5 * time.Second
	// stuckLooks is how many looks in a row must find a stuck lane at one place.
	stuckLooks = 3
)

func (h *Hub) nearlyFull(b ingest.Bounds) bool {
	return float64(b.Bytes) >= fullRatio*float64(h.cfg.IngestMaxBytes)
}

// verbDetach is the request of the hub that trims ingest to the hub that owns a lane.
const verbDetach = "_detach"

// detachRequest names the lane that pins ingest.
type detachRequest struct {
	// Below is the ingest sequence below which only this lane keeps events.
	Below uint64 `json:"below"`
	// Reason is the reason that the service sees.
	Reason string `json:"reason"`
}

type detachReply struct {
	Detached bool `json:"detached"`
}

// askToDetach asks the owner of a lane that pins ingest to detach the lane if it
// makes no progress. Only the owner can tell, because it copies into the lane.
func (h *Hub) askToDetach(ctx context.Context, service subjects.Name, b ingest.Bounds, below uint64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	req := detachRequest{Below: below, Reason: fmt.Sprintf(
		"ingest is %d%% full (%d of %d bytes) of events that this lane had not taken; its stream is full or stalled",
		int(100*float64(b.Bytes)/float64(h.cfg.IngestMaxBytes)), b.Bytes, h.cfg.IngestMaxBytes)}
	owner := h.hubs.Owner(service)
	if owner == h.cfg.ID {
		reply, err := h.detachIfStuck(ctx, service, req)
		return reply.Detached, err
	}
	data, err := json.Marshal(req)
	if err != nil {
		return false, err
	}
	m, err := h.hubs.Ask(ctx, owner, verbDetach, service, data)
	if err != nil {
		return false, fmt.Errorf("ask hub %s to detach lane %s: %w", owner, service, err)
	}
	var reply detachReply
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return false, fmt.Errorf("ask hub %s to detach lane %s: %w", owner, service, err)
	}
	return reply.Detached, nil
}

func (h *Hub) doDetach(ctx context.Context, service subjects.Name, req detachRequest) (any, error) {
	return h.detachIfStuck(ctx, service, req)
}

// detachIfStuck cuts off a lane that keeps ingest full and makes no progress, so that
// one dead subscriber does not stop the publishers. The edit that detaches the lane
// checks its state once more.
func (h *Hub) detachIfStuck(ctx context.Context, service subjects.Name, req detachRequest) (detachReply, error) {
	l := h.lanes.Get(service)
	if l == nil || !l.Owned() {
		return detachReply{}, nil // another hub has just taken over: the next look asks again
	}
	at, needs := l.Status().State.Lowest()
	if !needs || !h.looks.stuck(service, at, l.WaitsToRead(), time.Now()) {
		return detachReply{}, nil
	}
	detached := false
	_, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		now, needs := tip.State.Lowest()
		detached = needs && now == at && (now.Seq < req.Below || now.Epoch < h.ingest.Epoch())
		return tip.State.Detach(contract.TroubleIngestFull, req.Reason, h.now()), detached, nil
	})
	if err != nil {
		return detachReply{}, fmt.Errorf("detach lane %s: %w", service, err)
	}
	if detached {
		h.log.Error("lane detached: register interests that state a start", "service", service.String(), "reason", req.Reason)
		h.tellDetached(service, req.Reason)
	}
	return detachReply{Detached: detached}, nil
}

// looks record where lanes that pin a full ingest stood at each look.
type looks struct {
	mu     sync.Mutex // guards byLane
	byLane map[subjects.Name]look
}

type look struct {
	at          event.Position
	since, last time.Time
	times       int
}

// stuck notes a look at a lane, and reports whether the lane has stood at one place
// for long enough. A lane that waits for its turn to read ingest is not stuck.
func (l *looks) stuck(service subjects.Name, at event.Position, waitsToRead bool, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byLane == nil {
		l.byLane = make(map[subjects.Name]look)
	}
	seen, known := l.byLane[service]
	if !known || seen.at != at || waitsToRead || now.Sub(seen.last) > lookAgain {
		seen = look{at: at, since: now}
	}
	seen.last = now
	seen.times++
	l.byLane[service] = seen
	return seen.times >= stuckLooks && now.Sub(seen.since) >= stuckAfter
}

// tellDetached announces a detachment to the service's connected instances; other
// instances see it in describe and at the next registration.
func (h *Hub) tellDetached(service subjects.Name, reason string) {
	if err := h.nc.Publish("replhub._detached."+service.String(), []byte(reason)); err != nil {
		h.log.Debug("send a service the notice that its lane is detached", "err", err)
	}
}
