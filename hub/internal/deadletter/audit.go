package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// The audit finds exhausted deliveries whose advisory was lost. An advisory is a core
// message. It is lost if the server dies before it has stored the advisory, or if the
// stream of advisories has no leader or is full.
//
// num_redelivered counts the messages that were redelivered and are pending, and the
// exhausted messages without a letter. Zero says that no letter is missing. A number
// above num_ack_pending says that a letter is missing. Any other number leaves that open.
// Only a backup of the stream, which holds the state of its consumers, says which
// messages are exhausted (inspect.go). The server reads the whole lane for a backup, so
// the audit requests one only where a letter may be missing.

// audit looks for exhausted deliveries without a letter.
type audit struct {
	cfg        Config
	watches    *watches
	advisories *advisories
	capture    *capture
	trouble    *episode.Log
}

// run audits the lanes periodically until ctx ends.
func (a *audit) run(ctx context.Context) error {
	for retry.Sleep(ctx, a.cfg.AuditEvery) == nil {
		a.capture.quotas.review(ctx)
		if err := a.lanes(ctx); ctx.Err() == nil {
			a.trouble.Met(err)
		}
	}
	return nil
}

func (a *audit) lanes(ctx context.Context) error {
	var services []subjects.Name
	names, err := jsapi.StreamNames(ctx, a.cfg.JS, "sub.>")
	if err != nil {
		return err
	}
	for _, name := range names {
		if service, ok := subjects.ParseLaneStream(name); ok && a.cfg.Owns(service) {
			services = append(services, service)
		}
	}
	var failures error
	for _, service := range services {
		if err := a.lane(ctx, service); err != nil && !errors.Is(err, lane.ErrNoLane) {
			failures = errors.Join(failures, fmt.Errorf("lane %s: %w", service, err))
		}
	}
	return failures
}

// lane looks at one lane's consumers.
func (a *audit) lane(ctx context.Context, service subjects.Name) error {
	workers, err := lane.Workers(ctx, a.cfg.JS, service)
	if err != nil {
		return err
	}
	var suspects []*jetstream.ConsumerInfo
	for _, info := range workers {
		if w, clean := a.watches.observe(service, info); !clean && a.worthInspecting(info, time.Since(w.suspect)) {
			suspects = append(suspects, info)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	waiting, err := a.advisories.waiting(ctx, service)
	if err != nil || waiting > 0 {
		return err // the capture of these advisories is under way
	}
	return a.clear(ctx, service, suspects)
}

// clear finds out which deliveries of consumers are exhausted and stores their
// letters.
func (a *audit) clear(ctx context.Context, service subjects.Name, suspects []*jetstream.ConsumerInfo) error {
	states, err := inspect(ctx, a.cfg.JS, subjects.LaneStream(service))
	if err != nil {
		return err
	}
	for _, info := range suspects {
		if err := a.settleAll(ctx, service, info, states[info.Name]); err != nil {
			return err
		}
	}
	return nil
}

// worthInspecting decides whether a consumer that has been suspect for a time
// is worth reading its lane.
func (a *audit) worthInspecting(info *jetstream.ConsumerInfo, suspect time.Duration) bool {
	return (certain(info) && suspect >= a.cfg.AuditEvery) || suspect >= a.cfg.InspectEvery
}

// settleAll stores the letters of all exhausted deliveries of a consumer.
func (a *audit) settleAll(ctx context.Context, service subjects.Name, info *jetstream.ConsumerInfo, s *consumerState) error {
	if s == nil {
		return fmt.Errorf("the backup of the lane does not have consumer %s", info.Name)
	}
	now, err := a.cfg.JS.Consumer(ctx, subjects.LaneStream(service), info.Name)
	if err != nil {
		return fmt.Errorf("look up consumer %s: %w", info.Name, err)
	}
	if !now.CachedInfo().Created.Equal(info.Created) {
		return nil // created again while it was read; the next audit looks again
	}
	found := s.exhausted()
	// A cluster's backup has neither pending nor redelivered messages (nats-server
	// 2.15.2, stream_backup.go): it proves nothing, so the lane stays held.
	if info.Cluster != nil || (certain(info) && len(found) == 0) {
		return fmt.Errorf("consumer %s may have exhausted deliveries without a dead letter (%d redelivered, %d pending), and the server does not say which; the lane is not trimmed behind them until the consumer has no redelivered copies",
			info.Name, info.NumRedelivered, info.NumAckPending)
	}
	for _, seq := range found {
		f := failed{
			stream: subjects.LaneStream(service), consumer: info.Name, seq: seq, attempts: s.Redelivered[seq],
			reason: contract.ReasonMaxDeliver, text: exhaustedText(s.Redelivered[seq]), at: now.CachedInfo().TimeStamp,
		}
		if err := a.capture.store(ctx, service, f); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		a.cfg.Logger.Warn("found exhausted deliveries whose advisory was lost", "service", service.String(), "consumer", info.Name, "count", len(found))
	}
	a.watches.cleared(service, info, s.floor())
	return nil
}

// certain reports whether the counts leave no doubt that an exhausted delivery
// has no letter.
func certain(info *jetstream.ConsumerInfo) bool { return info.NumRedelivered > info.NumAckPending }
