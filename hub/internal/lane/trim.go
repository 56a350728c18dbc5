package lane

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/subjects"
)

// ErrFull: the lane holds its limit in copies that nobody has acknowledged.
var ErrFull = core.ErrFull

// Hold gives the lowest sequence of a service's lane that must stay because a dead
// letter of it is not stored yet, or the largest number there is. workers are the
// consumers, as one answer each of the server gave them.
type Hold func(ctx context.Context, service subjects.Name, workers map[string]*jetstream.ConsumerInfo) (uint64, error)

// HoldNothing is a Hold without dead letters.
func HoldNothing(context.Context, subjects.Name, map[string]*jetstream.ConsumerInfo) (uint64, error) {
	return math.MaxUint64, nil
}

// Trim purges copies that every worker has acknowledged and that were stored
// before cutoff. It keeps the last message and the newest state record, which
// it renews where that would keep history. It returns how many messages went.
func (l *Lane) Trim(ctx context.Context, cutoff time.Time) (uint64, error) {
	tip, err := ReadTip(ctx, l.env.JS, l.service)
	if errors.Is(err, ErrStateLost) {
		l.Recheck() // its loop writes another
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	want, first, err := l.acked(ctx, cutoff)
	if err != nil || want <= first {
		return 0, err
	}
	stateSeq := tip.StateSeq
	if stateSeq < want {
		l.env.Failpoint("trim record")
		renew := func(_ context.Context, tip Tip) (State, bool, error) { return tip.State, true, nil }
		if _, err := l.Change(ctx, renew); err != nil {
			return 0, err
		}
		if tip, err = ReadTip(ctx, l.env.JS, l.service); err != nil {
			return 0, err
		}
		stateSeq = tip.StateSeq
	}
	l.env.Failpoint("trim")
	return l.purgeAcked(ctx, stateSeq, cutoff)
}

// acked returns the lowest sequence to keep, by the workers' floors, the
// cutoff and the hold, and the first sequence there is.
func (l *Lane) acked(ctx context.Context, cutoff time.Time) (keep, first uint64, err error) {
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, 0, ErrNoLane
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 || state.FirstTime.After(cutoff) {
		return 0, state.FirstSeq, nil
	}
	consumers, err := hubConsumers(ctx, l.env.JS, stream)
	if err != nil {
		return 0, 0, err
	}
	tip, err := ReadTip(ctx, l.env.JS, l.service)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range Consumers(tip.State.Queue) {
		if consumers[name] == nil {
			// What it has not acknowledged nobody can tell.
			return 0, 0, fmt.Errorf("%w: %s of lane %s", ErrNoConsumer, name, l.service)
		}
	}
	floor, err := lowestFloor(ctx, stream, state.LastSeq, consumers, l.standings.look(consumers, time.Now()))
	if err != nil {
		return 0, 0, err
	}
	keep = min(state.LastSeq, floor+1)
	keep, err = firstSince(ctx, stream, state.FirstSeq, keep, cutoff)
	if err != nil || keep <= state.FirstSeq {
		return keep, state.FirstSeq, err
	}
	low, err := l.env.Hold(ctx, l.service, consumers)
	return min(keep, low), state.FirstSeq, err
}

// firstSince is the first sequence in [low, high] that was stored at or after
// a time. Messages may be missing in between.
func firstSince(ctx context.Context, stream jetstream.Stream, low, high uint64, t time.Time) (uint64, error) {
	for low < high {
		mid := low + (high-low)/2
		msg, err := stream.GetMsg(ctx, mid)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			low = mid + 1 // gone already
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("read %s at %d: %w", stream.CachedInfo().Config.Name, mid, err)
		}
		if msg.Time.Before(t) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// purgeAcked purges what acked allows, below the newest state record.
func (l *Lane) purgeAcked(ctx context.Context, stateSeq uint64, cutoff time.Time) (uint64, error) {
	keep, first, err := l.acked(ctx, cutoff)
	if err != nil {
		return 0, err
	}
	keep = min(keep, stateSeq)
	if keep <= first {
		return 0, nil
	}
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if err != nil {
		return 0, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	// A purge beyond the last sequence would empty the stream and jump it.
	if info := stream.CachedInfo(); keep > info.State.LastSeq {
		return 0, fmt.Errorf("lane %s shrank during a trim: left alone", l.service)
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(keep)); err != nil {
		return 0, fmt.Errorf("purge lane %s below %d: %w", l.service, keep, err)
	}
	return keep - first, nil
}
