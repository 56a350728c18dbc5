package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/subjects"
)

// StreamConfig is a lane's stream.
func StreamConfig(service subjects.Name, replicas int, fast bool) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        subjects.LaneStream(service),
		Description: "replhub: what the service " + service.String() + " is to know",
		Subjects:    []string{subjects.LaneSubjects(service)},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew, // a full lane stalls and loses nothing
		MaxMsgs:     -1,
		// The hub keeps a lane's limit itself, because the server would reserve the
		// whole limit.
		MaxBytes: -1,
		Storage:  jetstream.FileStorage,
		Replicas: replicas,
		// No DenyDelete, which could never be lifted: copies can be erased.
		AllowAtomicPublish: true,
		AllowBatchPublish:  fast,
	}
}

// recordsRoom is what a lane's stream has beside the lane's limit for state records, in
// bytes, where the account demands that the stream states a limit.
const recordsRoom = 16 << 20

func streamBytes(limit int64) int64 { return limit + recordsRoom }

// Fit gives a lane's stream room for a limit of the lane, if the stream has a limit of its
// own because the account demands one.
func Fit(ctx context.Context, js jetstream.JetStream, service subjects.Name, limit int64) error {
	s, err := js.Stream(ctx, subjects.LaneStream(service))
	if err != nil {
		return err
	}
	cfg := s.CachedInfo().Config
	if cfg.MaxBytes <= 0 || cfg.MaxBytes >= streamBytes(limit) {
		return nil
	}
	cfg.MaxBytes = streamBytes(limit)
	if _, err := js.UpdateStream(ctx, cfg); err != nil {
		return fmt.Errorf("give stream %q room for %d bytes: %w", cfg.Name, limit, err)
	}
	return nil
}

// Create makes a lane's stream with its first state record. It is not an error if
// another hub was first.
func Create(ctx context.Context, js jetstream.JetStream, a *Appender, service subjects.Name, replicas int, first State, hub string) error {
	stream, err := hubstream.EnsureBytes(ctx, js, StreamConfig(service, replicas, a.kind == Fast), streamBytes(first.MaxBytes))
	if err != nil {
		return err
	}
	if stream.CachedInfo().State.LastSeq > 0 {
		return nil
	}
	msg, err := stateMessage(service, hub, first)
	if err != nil {
		return err
	}
	if err := a.appendFirst(ctx, stream.CachedInfo().Config.Name, msg); err != nil {
		return fmt.Errorf("write the first state of lane %s: %w", service, err)
	}
	return nil
}

// createPause is the time between two attempts to append to a new stream.
const createPause = 20 * time.Millisecond

// appendFirst appends to a new, empty stream, and tries again for a while: on a
// cluster the stream may have no leader yet, or the server that this hub is connected
// to may not have heard of it. It succeeds too if another message is first: that of
// another hub, or of an attempt whose answer was lost.
func (a *Appender) appendFirst(ctx context.Context, stream string, msg Message) error {
	ctx, cancel := context.WithTimeout(ctx, core.MaxPatience)
	defer cancel()
	for {
		attempt, cancel := context.WithTimeout(ctx, core.MinPatience)
		_, err := a.Append(attempt, stream, 0, []Message{msg})
		cancel()
		switch {
		case err == nil || errors.Is(err, ErrFenced):
			return nil
		case !hubstream.Leaderless(err) && !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(createPause):
		}
	}
}
