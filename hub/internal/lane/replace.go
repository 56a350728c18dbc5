package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

// ListWorkers returns the consumers of a lane that have the name of a work queue, as
// far as their leaders answer. It costs one request. The stream handle may be of any
// age.
func ListWorkers(ctx context.Context, stream jetstream.Stream) (map[string]*jetstream.ConsumerInfo, error) {
	return listConsumers(ctx, stream)
}

// Due reports whether a copy lies behind a consumer's last delivery, by the stream's
// leader.
func Due(ctx context.Context, stream jetstream.Stream, info *jetstream.ConsumerInfo) (bool, error) {
	match, err := lastMatch(ctx, stream, 0, info.Config)
	return match > max(info.Delivered.Stream, beforeStart(info)), err
}

// beforeStart is the sequence up to which a consumer never delivers: on a cluster, a new
// consumer that starts in the middle says at first that it stands at 0.
func beforeStart(info *jetstream.ConsumerInfo) uint64 { return max(info.Config.OptStartSeq, 1) - 1 }

// Foreign reports whether a consumer is of another rewind than the lane's last one, or of an
// earlier lane of the name. A hub that finishes a rewind while the lane gets
// another one, or is deleted, can leave such a consumer: its place has nothing to do with
// what is due, and until it is created again, the lane is not trimmed. It is false while a
// rewind is under way.
func Foreign(ctx context.Context, stream jetstream.Stream, s State, info *jetstream.ConsumerInfo) (bool, error) {
	of := GenerationOf(info)
	if s.Rewound != nil && !s.Rewound.Done || s.OfRewind(of, laneOf(stream.CachedInfo())) {
		return false, nil
	}
	now, err := stream.Info(ctx) // the handle may be of an earlier lane
	if err != nil {
		return false, fmt.Errorf("look up lane: %w", err)
	}
	return !s.OfRewind(of, laneOf(now)), nil
}

// errReplaced means that a consumer is no longer the one that was looked at.
var errReplaced = errors.New("another consumer of its name was created meanwhile, or none exists")

// RemoveConsumer removes a consumer that the hub made, as info describes it, so that
// EnsureConsumers creates it again. The place from which the new one delivers is
// recorded first, in the state that is returned. It is the first copy that is not
// acknowledged, or one before it whose dead letter may be missing. A consumer that
// somebody else has replaced meanwhile stays.
func (l *Lane) RemoveConsumer(ctx context.Context, info *jetstream.ConsumerInfo) (State, error) {
	state, err := l.Change(ctx, func(ctx context.Context, tip Tip) (State, bool, error) {
		resumed, err := l.resumption(ctx, info)
		if errors.Is(err, errReplaced) {
			return tip.State, false, nil
		}
		s := tip.State.Clone()
		s.Resumed = resumed
		return s, true, err
	})
	if err != nil {
		return State{}, err
	}
	now, err := l.lookAgain(ctx, info)
	if errors.Is(err, errReplaced) {
		return state, nil
	}
	if err == nil {
		err = l.env.JS.DeleteConsumer(ctx, l.stream, now.Name)
		l.env.Failpoint("consumer removed")
	}
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return State{}, fmt.Errorf("remove consumer %s of lane %s: %w", info.Name, l.service, err)
	}
	return state, nil
}

// resumption is where the consumer that comes after another one goes on.
func (l *Lane) resumption(ctx context.Context, info *jetstream.ConsumerInfo) (*record.Resumed, error) {
	now, err := l.lookAgain(ctx, info)
	if err != nil {
		return nil, err
	}
	held, err := l.env.Hold(ctx, l.service, map[string]*jetstream.ConsumerInfo{now.Name: now})
	if err != nil {
		return nil, err
	}
	floor := max(now.AckFloor.Stream, beforeStart(now))
	return &record.Resumed{Consumer: now.Name, From: min(floor+1, held), Generation: GenerationOf(now)}, nil
}

// lookAgain looks a consumer up again; errReplaced where it is not the same.
func (l *Lane) lookAgain(ctx context.Context, info *jetstream.ConsumerInfo) (*jetstream.ConsumerInfo, error) {
	c, err := l.env.JS.Consumer(ctx, l.stream, info.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, errReplaced
	}
	if err != nil {
		return nil, fmt.Errorf("look up consumer %s of lane %s: %w", info.Name, l.service, err)
	}
	now := c.CachedInfo()
	if !now.Created.Equal(info.Created) || now.Config.Metadata[contract.MetadataKey] != contract.MetadataValue {
		return nil, errReplaced
	}
	return now, nil
}
