package report

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
)

const (
	// measureTime and measureLaneTime for each lane bound a round; requests not
	// answered by then are left out. 5000 lanes have 8 s: a scrape has 10 by default.
	measureTime     = 3 * time.Second
	measureLaneTime = time.Millisecond
	// maxMeasures bounds the lanes asked about at a time.
	maxMeasures = 8
)

// Measurement is the result of one round of requests to the server.
type Measurement struct {
	Bounds ingest.Bounds
	Rate   float64
	// Lanes are those that this hub owns and that could be read.
	Lanes []Lane
}

// Measure asks the server about ingest and about each lane that this hub owns; nil
// when ingest cannot be reached. While Dispatching is false no answer comes, and the
// call takes its full timeout.
func (r *Reporter) Measure() *Measurement {
	ctx, cancel := context.WithTimeout(context.Background(), measureTime+time.Duration(r.cfg.Lanes.Count())*measureLaneTime)
	defer cancel()
	latest, err := r.measure(ctx)
	if err != nil {
		r.cfg.Logger.Debug("measure", "err", err)
	}
	return latest
}

func (r *Reporter) measure(ctx context.Context) (*Measurement, error) {
	end, b, err := r.cfg.Ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	letters, err := r.countLetters(ctx)
	if err != nil {
		r.cfg.Logger.Debug("count dead letters", "err", err) // one value less is no reason to withhold the others
	}
	m := &Measurement{Bounds: b, Rate: r.cfg.Ingest.Rate(b)}
	var group errgroup.Group
	group.SetLimit(maxMeasures)
	var mu sync.Mutex // guards m.Lanes
	for _, l := range r.cfg.Lanes.All() {
		if !l.Owned() {
			continue
		}
		group.Go(func() error {
			status, err := r.measureLane(ctx, l, end)
			if err != nil {
				r.cfg.Logger.Debug("measure lane", "service", l.Service().String(), "err", err)
				return nil
			}
			status.DeadLetters, status.DeadLettersUnknown = letters[status.Service], letters == nil
			mu.Lock()
			defer mu.Unlock()
			m.Lanes = append(m.Lanes, status)
			return nil
		})
	}
	return m, group.Wait()
}

// measureLane is lane for a lane in this hub's memory, with half of the requests.
func (r *Reporter) measureLane(ctx context.Context, l *lane.Lane, end ingest.Mark) (Lane, error) {
	stream, err := r.cfg.Lanes.Stream(ctx, l.Service())
	if err != nil {
		return Lane{}, err
	}
	info := stream.CachedInfo()
	status := Lane{LaneStatus: contract.LaneStatus{
		Service: l.Service().String(), Stream: info.Config.Name, Messages: info.State.Msgs, Bytes: info.State.Bytes,
	}}
	at := r.describeState(&status, l.Service(), l.Status().State, end)
	r.describeLag(ctx, &status, at, end)
	if err := r.describeWorkers(ctx, &status, l.Service(), stream); err != nil {
		return Lane{}, err
	}
	r.describeMissing(ctx, &status, l.Service(), stream, l.Status().State)
	r.describeQuota(&status, l.Service())
	status.Unavailable = r.cfg.Unavailable.of(l.Service())
	return status, nil
}

// countLetters counts the stored dead letters of all services with one request.
func (r *Reporter) countLetters(ctx context.Context) (map[string]uint64, error) {
	s, err := r.cfg.JS.Stream(ctx, contract.StreamDLQ)
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
