package hub

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// measureEvery is the least time between two rounds of questions to the
	// server, however often somebody scrapes.
	measureEvery = 5 * time.Second
	// measureTime and measureLaneTime for each lane bound a round; what is not
	// answered by then is left out. 5000 lanes have 8 s: a scrape has 10 by default.
	measureTime     = 3 * time.Second
	measureLaneTime = time.Millisecond
	// maxMeasures bounds the lanes asked about at a time.
	maxMeasures = 8
)

// measurement is what one round brought; immutable.
type measurement struct {
	bounds ingest.Bounds
	rate   float64
	// lanes are those that this hub owns and that could be read.
	lanes []laneReport
}

// measurements keep the latest round. Concurrent scrapes share one.
type measurements struct {
	mu     sync.Mutex // guards the rest; held during a round
	at     time.Time
	latest *measurement
}

// get returns the latest round, at most measureEvery old; nil when ingest
// cannot be reached.
func (m *measurements) get(h *Hub) *measurement {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && time.Since(m.at) < measureEvery {
		return m.latest
	}
	if !h.dispatching.Load() {
		return nil // no answer would come, and the scrape be late
	}
	ctx, cancel := context.WithTimeout(context.Background(), measureTime+time.Duration(h.lanes.count())*measureLaneTime)
	defer cancel()
	latest, err := h.measure(ctx)
	if err != nil {
		h.log.Debug("measure", "err", err)
	}
	m.at, m.latest = time.Now(), latest
	return latest
}

// measure asks the server about ingest and about each lane that this hub owns.
func (h *Hub) measure(ctx context.Context) (*measurement, error) {
	end, b, err := h.ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	letters, err := h.countLetters(ctx)
	if err != nil {
		h.log.Debug("count dead letters", "err", err) // one value less is no reason to withhold the others
	}
	m := &measurement{bounds: b, rate: h.ingest.Rate(b)}
	var group errgroup.Group
	group.SetLimit(maxMeasures)
	var mu sync.Mutex // guards m.lanes
	for _, l := range h.lanes.all() {
		if !l.Owned() {
			continue
		}
		group.Go(func() error {
			status, err := h.measureLane(ctx, l, end)
			if err != nil {
				h.log.Debug("measure lane", "service", l.Service().String(), "err", err)
				return nil
			}
			status.DeadLetters, status.DeadLettersUnknown = letters[status.Service], letters == nil
			mu.Lock()
			defer mu.Unlock()
			m.lanes = append(m.lanes, status)
			return nil
		})
	}
	return m, group.Wait()
}

// measureLane is laneStatus for a lane in this hub's memory, with half of the
// questions.
func (h *Hub) measureLane(ctx context.Context, l *lane.Lane, end ingest.Mark) (laneReport, error) {
	stream, err := h.js.Stream(ctx, subjects.LaneStream(l.Service()))
	if err != nil {
		return laneReport{}, fmt.Errorf("look up lane %s: %w", l.Service(), err)
	}
	info := stream.CachedInfo()
	status := laneReport{LaneStatus: contract.LaneStatus{
		Service: l.Service().String(), Stream: info.Config.Name, Messages: info.State.Msgs, Bytes: info.State.Bytes,
	}}
	at := h.describeState(&status, l.Service(), l.Status().State, end)
	h.describeLag(ctx, &status, at, end)
	if err := h.describeWorkers(ctx, &status, l.Service(), stream); err != nil {
		return laneReport{}, err
	}
	h.describeMissing(ctx, &status, l.Service(), stream, l.Status().State)
	h.describeQuota(&status, l.Service())
	status.Unavailable = h.away.of(l.Service())
	return status, nil
}

// countLetters counts the stored dead letters of all services in one question.
func (h *Hub) countLetters(ctx context.Context) (map[string]uint64, error) {
	s, err := h.js.Stream(ctx, contract.StreamDLQ)
	if err != nil {
		return nil, fmt.Errorf("look up stream %q: %w", contract.StreamDLQ, err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter("dlq.>"))
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	letters := make(map[string]uint64)
	for subject, n := range info.State.Subjects {
		if parts := strings.SplitN(subject, ".", 3); len(parts) == 3 {
			letters[parts[1]] += n
		}
	}
	return letters, nil
}
