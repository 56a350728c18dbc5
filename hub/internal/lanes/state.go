package lanes

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// Existing is a lane that exists, whether or not this hub has taken it up yet.
func (s *Set) Existing(ctx context.Context, service subjects.Name) (*lane.Lane, error) {
	if l := s.Get(service); l != nil {
		return l, nil
	}
	if _, err := s.State(ctx, service); err != nil {
		return nil, err
	}
	return s.Add(service), nil
}

// State returns a lane's present state from its stream.
func (s *Set) State(ctx context.Context, service subjects.Name) (lane.State, error) {
	tip, err := lane.ReadTip(ctx, s.cfg.JS, service)
	return tip.State, err
}

// CheapState is State, but from memory if this hub copies into the lane.
func (s *Set) CheapState(ctx context.Context, service subjects.Name) (lane.State, error) {
	if l := s.Get(service); l != nil && l.Owned() {
		if status := l.Status(); status.Last > 0 {
			return status.State, nil
		}
	}
	return s.State(ctx, service)
}

// Stream looks a lane's stream up; lane.ErrNoLane where there is none.
func (s *Set) Stream(ctx context.Context, service subjects.Name) (jetstream.Stream, error) {
	stream, err := s.cfg.JS.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, lane.ErrNoLane
	}
	if err != nil {
		return nil, fmt.Errorf("look up lane %s: %w", service, err)
	}
	return stream, nil
}
