package lane

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// RewindTarget is where workers start again: at an ingest sequence, or at a time by
// ingest's clock.
type RewindTarget struct {
	Epoch, Seq uint64
	Time       time.Time
}

// TooOldError refuses a rewind to a place that the lane no longer holds.
type TooOldError struct {
	// Held is the position of the lane's first copy, At when ingest stored it.
	Held event.Position
	At   time.Time
}

// Error implements error.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("the lane holds copies only from event %s (%s) on", e.Held, e.At.Format(time.RFC3339Nano))
}

// planRewind decides where a service's workers start again for a target. It moves
// them back, never forward: unacknowledged copies stay due.
func (l *Lane) planRewind(ctx context.Context, s State, target RewindTarget) (*Rewound, error) {
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoLane
	}
	if err != nil {
		return nil, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	from, err := findCopy(ctx, stream, target)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	have, err := hubConsumers(ctx, l.env.JS, stream)
	if err != nil {
		return nil, err
	}
	floors := l.standings.look(have, asked, time.Now())
	last := stream.CachedInfo().State.LastSeq
	if err := refuseForwards(ctx, stream, s, have, from); err != nil {
		return nil, err
	}
	plan := &Rewound{ID: nuid.Next(), From: from, Starts: make(map[string]uint64)}
	for _, name := range Consumers(s.Queue) {
		start := max(s.StartOf(name), 1) // for a missing consumer, no acknowledgement is known
		if old := have[name]; old != nil {
			floor, err := floorOf(ctx, stream, last, old.Config, floors[name])
			if err != nil {
				return nil, err
			}
			start = floor + 1
			if old.Config.PauseUntil != nil {
				plan.PausedUntil = old.Config.PauseUntil
			}
		}
		if start < from {
			plan.Starts[name] = start
		}
	}
	return plan, nil
}

// findCopy finds a lane's sequence of the first copy at or after a target. Within one
// registration copies ascend by ingest position. With a fill in between they do not;
// then the first fitting copy from the front is taken, so that no copy is missed.
func findCopy(ctx context.Context, stream jetstream.Stream, target RewindTarget) (uint64, error) {
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return state.LastSeq + 1, nil
	}
	var failed error
	fits := func(seq uint64) bool {
		m, found, err := copyAt(ctx, stream, seq, state.LastSeq)
		if err != nil {
			failed = err
			return true
		}
		return !found || target.reached(m.mark.Position, m.mark.Time)
	}
	n := int(state.LastSeq - state.FirstSeq + 1)
	at := state.FirstSeq + uint64(sort.Search(n, func(i int) bool { return fits(state.FirstSeq + uint64(i)) }))
	if failed != nil {
		return 0, failed
	}
	first, found, err := copyAt(ctx, stream, state.FirstSeq, state.LastSeq)
	if err != nil {
		return 0, err
	}
	if at == state.FirstSeq && found && state.FirstSeq > 1 && target.before(first.mark.Position, first.mark.Time) {
		return 0, &TooOldError{Held: first.mark.Position, At: first.mark.Time}
	}
	return at, nil
}

func (t RewindTarget) reached(pos event.Position, at time.Time) bool {
	if t.Seq > 0 {
		return !pos.Before(event.Position{Epoch: t.Epoch, Seq: t.Seq})
	}
	return !at.Before(t.Time)
}

// before reports whether the target lies before a copy.
func (t RewindTarget) before(pos event.Position, at time.Time) bool {
	if t.Seq > 0 {
		return event.Position{Epoch: t.Epoch, Seq: t.Seq}.Before(pos)
	}
	return t.Time.Before(at)
}

// copyAt is the first copy at or behind a sequence of a lane.
func copyAt(ctx context.Context, stream jetstream.Stream, seq, last uint64) (m heldCopy, found bool, err error) {
	for ; seq <= last; seq++ {
		msg, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return heldCopy{}, false, fmt.Errorf("read lane at %d: %w", seq, err)
		}
		if mark, ok := record.CopyMark(msg.Header); ok {
			return heldCopy{mark: mark, seq: seq}, true, nil
		}
	}
	return heldCopy{}, false, nil
}

type heldCopy struct {
	mark ingest.Mark
	seq  uint64
}
