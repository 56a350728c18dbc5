package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Found is the copy of an event in a lane.
type Found struct {
	// Seq is its sequence in the lane's stream.
	Seq uint64
	// Consumer is the work queue that has the copy; empty where the copy was
	// processed under a queue that the service no longer has.
	Consumer string
}

// maxPassed bounds the messages out of ingest's order (redriven copies, and rows of
// snapshots) that a search for a copy passes over at one place.
const maxPassed = 64

// FindCopy finds an event's copy. ok is false where the lane does not hold the copy,
// or does not hold it at its place in ingest's order. Copies of one entity ascend by
// position within one registration, fills included, so a binary search needs about
// twenty reads.
func FindCopy(ctx context.Context, js jetstream.JetStream, service, entity subjects.Name, s State, pos event.Position) (found Found, ok bool, err error) {
	stream, err := js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Found{}, false, ErrNoLane
	}
	if err != nil {
		return Found{}, false, fmt.Errorf("look up lane %s: %w", service, err)
	}
	filter := "sub." + service.String() + "." + entity.String() + ".*.*"
	state := stream.CachedInfo().State
	low, high := state.FirstSeq, state.LastSeq+1
	for low < high {
		mid := low + (high-low)/2
		m, at, there, err := ordered(ctx, stream, filter, mid)
		if err != nil {
			return Found{}, false, err
		}
		switch {
		case !there || pos.Before(at):
			high = mid
		case at == pos:
			c, err := subjects.ParseCopy(m.Subject)
			if err != nil {
				return Found{}, false, fmt.Errorf("read lane %s at %d: %w", service, m.Sequence, err)
			}
			found.Seq = m.Sequence
			if names := Consumers(s.Queue); m.Sequence >= s.QueueFrom && c.Partition() < len(names) {
				found.Consumer = names[c.Partition()]
			}
			return found, true, nil
		default:
			low = m.Sequence + 1
		}
	}
	return Found{}, false, nil
}

// ordered is the first copy at or behind a sequence of a lane that stands in
// ingest's order, and its event's position.
func ordered(ctx context.Context, stream jetstream.Stream, filter string, seq uint64) (m *jetstream.RawStreamMsg, at event.Position, found bool, err error) {
	for range maxPassed {
		m, err = stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, event.Position{}, false, nil
		}
		if err != nil {
			return nil, event.Position{}, false, fmt.Errorf("read lane at %d: %w", seq, err)
		}
		if mark, ok := record.CopyMark(m.Header); ok && m.Header.Get(contract.HeaderRow) == "" {
			return m, mark.Position, true, nil
		}
		seq = m.Sequence + 1
	}
	return nil, event.Position{}, false, nil
}
