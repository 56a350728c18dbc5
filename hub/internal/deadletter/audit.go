package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// The audit finds exhausted deliveries whose advisory was lost: advisories are
// core messages, gone when the server dies before it has stored them, when
// their stream has no leader just then or is full.
//
// num_redelivered counts the messages that were redelivered and are pending,
// and the exhausted ones without a letter. Zero says that all is well. More
// than num_ack_pending says for certain that one lacks its letter. In between
// the counts do not tell. Which ones they are the server says nowhere but in a
// backup of the stream, which holds its consumers' state (inspect.go); a backup
// reads the whole lane, so one is made only for a reason.

// auditAll audits the lanes periodically until ctx ends.
func (q *Queue) auditAll(ctx context.Context) error {
	for retry.Sleep(ctx, q.cfg.AuditEvery) == nil {
		q.reviewQuotas(ctx)
		if err := q.audit(ctx); ctx.Err() == nil {
			q.auditing.Met(err)
		}
	}
	return nil
}

func (q *Queue) audit(ctx context.Context) error {
	var services []subjects.Name
	names, err := jsapi.StreamNames(ctx, q.cfg.JS, "sub.>")
	if err != nil {
		return err
	}
	for _, name := range names {
		if service, ok := subjects.ParseLaneStream(name); ok && q.cfg.Owns(service) {
			services = append(services, service)
		}
	}
	var failures error
	for _, service := range services {
		if err := q.auditLane(ctx, service); err != nil && !errors.Is(err, lane.ErrNoLane) {
			failures = errors.Join(failures, fmt.Errorf("lane %s: %w", service, err))
		}
	}
	return failures
}

// auditLane looks at one lane's consumers.
func (q *Queue) auditLane(ctx context.Context, service subjects.Name) error {
	workers, err := lane.Workers(ctx, q.cfg.JS, service)
	if err != nil {
		return err
	}
	var suspects []*jetstream.ConsumerInfo
	for _, info := range workers {
		if w, clean := q.observe(service, info); !clean && q.worthInspecting(info, time.Since(w.suspect)) {
			suspects = append(suspects, info)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	waiting, err := q.count(ctx, q.advisories, unsettledFilter(service))
	if err != nil || waiting > 0 {
		return err // those are on their way
	}
	states, err := q.inspect(ctx, subjects.LaneStream(service))
	if err != nil {
		return err
	}
	for _, info := range suspects {
		if err := q.settleAll(ctx, service, info, states[info.Name]); err != nil {
			return err
		}
	}
	return nil
}

// worthInspecting decides whether a consumer that has been suspect for a time
// is worth reading its lane.
func (q *Queue) worthInspecting(info *jetstream.ConsumerInfo, suspect time.Duration) bool {
	return (certain(info) && suspect >= q.cfg.AuditEvery) || suspect >= q.cfg.InspectEvery
}

// settleAll stores the letters of all exhausted deliveries of a consumer.
func (q *Queue) settleAll(ctx context.Context, service subjects.Name, info *jetstream.ConsumerInfo, s *consumerState) error {
	if s == nil {
		return fmt.Errorf("the backup of the lane does not have consumer %s", info.Name)
	}
	now, err := q.cfg.JS.Consumer(ctx, subjects.LaneStream(service), info.Name)
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
		return fmt.Errorf("consumer %s may have exhausted deliveries without a dead letter (%d redelivered, %d pending), and the server does not say which; until it has no redelivered ones nothing is trimmed behind them",
			info.Name, info.NumRedelivered, info.NumAckPending)
	}
	for _, seq := range found {
		f := failed{
			stream: subjects.LaneStream(service), consumer: info.Name, seq: seq, attempts: s.Redelivered[seq],
			reason: contract.ReasonMaxDeliver, text: exhaustedText(s.Redelivered[seq]), at: now.CachedInfo().TimeStamp,
		}
		if err := q.store(ctx, service, f); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		q.cfg.Logger.Warn("found exhausted deliveries whose advisory was lost", "service", service.String(), "consumer", info.Name, "count", len(found))
	}
	q.cleared(service, info, s.floor())
	return nil
}

// certain reports whether the counts leave no doubt that an exhausted delivery
// has no letter.
func certain(info *jetstream.ConsumerInfo) bool { return info.NumRedelivered > info.NumAckPending }
