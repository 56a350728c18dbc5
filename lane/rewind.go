package lane

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/event"
	"github.com/replhub/replhub/ingest"
	"github.com/replhub/replhub/subjects"
)

// RewindTarget is where workers are to start again: at an ingest sequence, or
// at a time by ingest's clock.
type RewindTarget struct {
	Epoch, Seq uint64
	Time       time.Time
}

// TooOldError refuses a rewind to before what the lane still holds.
type TooOldError struct {
	// Held is the position of the lane's first copy, At when ingest stored it.
	Held event.Position
	At   time.Time
}

// Error implements error.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("the lane holds copies only from event %s (%s) on", e.Held, e.At.Format(time.RFC3339Nano))
}

// RewindWorkers has a service's workers start again from a target, and returns
// the ingest sequence of the first copy that they get again (0 when there is
// none yet) and how many those are. It goes back, never forward: what is not
// acknowledged stays due. The consumers are made anew; what workers hold
// unacknowledged at that moment is delivered again as well.
func RewindWorkers(ctx context.Context, js jetstream.JetStream, service subjects.Name, s State, target RewindTarget) (seq, again uint64, err error) {
	stream, err := js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, 0, ErrNoLane
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up lane %s: %w", service, err)
	}
	from, err := findCopy(ctx, stream, target)
	if err != nil {
		return 0, 0, err
	}
	have, err := hubConsumers(ctx, js, stream)
	if err != nil {
		return 0, 0, err
	}
	last := stream.CachedInfo().State.LastSeq
	if err := refuseForwards(ctx, stream, service, s, have, from); err != nil {
		return 0, 0, err
	}
	lowest := from
	for _, cfg := range consumerConfigs(service, s.Queue, from, stream.CachedInfo().Config.Replicas) {
		if old := have[cfg.Durable]; old != nil {
			cfg.PauseUntil = old.Config.PauseUntil
			floor, err := floorOf(ctx, stream, last, old)
			if err != nil {
				return 0, 0, err
			}
			cfg.OptStartSeq = max(min(from, floor+1), 1)
			if err := stream.DeleteConsumer(ctx, cfg.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return 0, 0, fmt.Errorf("rewind consumer %s of lane %s: %w", cfg.Durable, service, err)
			}
		} else {
			cfg.OptStartSeq = max(s.QueueFrom, 1) // a missing one has acknowledged nothing
		}
		lowest = min(lowest, cfg.OptStartSeq)
		c, err := stream.CreateConsumer(ctx, cfg)
		if err != nil {
			return 0, 0, fmt.Errorf("rewind consumer %s of lane %s: %w", cfg.Durable, service, err)
		}
		again += c.CachedInfo().NumPending
	}
	if again == 0 {
		return 0, 0, nil
	}
	first, _, err := copyAt(ctx, stream, lowest, last)
	return first.mark.Seq, again, err
}

// findCopy finds a lane's sequence of the first copy at or after a target. Within one registration
// copies ascend by ingest position; where a fill lies in between they do not,
// and the first copy that fits from the front is taken: rather more than less.
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
		if mark, ok := markOfCopy(msg.Header); ok {
			return heldCopy{mark: mark, seq: seq}, true, nil
		}
	}
	return heldCopy{}, false, nil
}

type heldCopy struct {
	mark ingest.Mark
	seq  uint64
}

// CopyTime is when ingest stored the event of the first copy at or behind a
// sequence of a lane.
func CopyTime(ctx context.Context, stream jetstream.Stream, seq uint64) (time.Time, bool, error) {
	m, found, err := copyAt(ctx, stream, seq, stream.CachedInfo().State.LastSeq)
	return m.mark.Time, found, err
}
