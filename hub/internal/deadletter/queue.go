// Package deadletter keeps the dead letters of all services. A dead letter is made of
// an event that could not be filtered or projected, of a delivery that no worker
// acknowledged within max_deliver, or of a delivery that a worker gave up.
//
// The promise: a letter is durable before its event can be trimmed from the lane.
// Storing a letter is idempotent. A full stream of letters stalls the lanes that need
// it, and drops no letter.
//
// The promise depends on what nats-server does with an exhausted delivery (2.15.2,
// consumer.go, hasMaxDeliveries and getNextMsg). The message is no longer pending and
// the ack floor passes it, so it does not block other messages. The consumer keeps the
// redelivery count of the message, and counts the message in num_redelivered, until
// the message is acknowledged or leaves the stream. So a Queue acknowledges the message
// in the consumer's name once the letter is stored. A consumer with num_redelivered 0
// therefore has no exhausted delivery without a letter. A consumer with a higher count
// is audited (audit.go).
//
// Not promised:
//
//   - A letter for a message that a worker terminated while the server lost its
//     advisory. To the server such a message looks acknowledged.
//   - A letter for an exhausted message right at the ack floor, if both its advisory
//     and the server are lost: the server does not restore the count of that message.
//   - Trimming, where the server's backups do not hold redelivery counts (before 2.15,
//     and in a cluster). There the audit notices that an advisory was lost, but not of
//     which message. The lane is then not trimmed from that message on, with a warning,
//     until the workers are rewound or num_redelivered is seen at 0.
package deadletter

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/subjects"
)

// Config configures a Queue. Only JS is required.
type Config struct {
	JS jetstream.JetStream
	// Replicas of the streams; 1 by default.
	Replicas int
	// MaxBytes bounds the dead letters; 1 GiB by default.
	MaxBytes int64
	// ServiceMaxBytes bounds the dead letters of one service; an eighth of MaxBytes
	// by default.
	ServiceMaxBytes int64
	// DedupeWindow is how long a repeated letter is recognised; 2 h by default.
	DedupeWindow time.Duration
	// AuditEvery is the time between looks for exhausted deliveries whose
	// advisory was lost; 15 s by default. One is looked into when two looks in
	// a row find it.
	AuditEvery time.Duration
	// InspectEvery is how often at most a lane is read for its consumers' state
	// when their counts do not say whether a delivery is exhausted; 15 min by
	// default. Trimming such a lane lags behind by about as much.
	InspectEvery time.Duration
	// Owns says which services this queue audits; nil is all. Two queues that audit one
	// service only do the work twice.
	Owns func(subjects.Name) bool
	// Report is called with the loss of a stream that somebody deleted; nil logs it.
	Report func(stream, text string)
	// Logger gets the messages for operators; slog.Default by default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MaxBytes = cmp.Or(c.MaxBytes, 1<<30)
	c.ServiceMaxBytes = cmp.Or(c.ServiceMaxBytes, c.MaxBytes/quotaShare, 1)
	c.DedupeWindow = cmp.Or(c.DedupeWindow, 2*time.Hour)
	c.AuditEvery = cmp.Or(c.AuditEvery, 15*time.Second)
	c.InspectEvery = cmp.Or(c.InspectEvery, 15*time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Owns == nil {
		c.Owns = func(subjects.Name) bool { return true }
	}
	return c
}

// Queue writes dead letters. Its methods may be called concurrently, and any number of
// queues work side by side, one in each hub.
type Queue struct {
	*store   // the letters
	*quotas  // the services' shares of the stream
	*watches // what is known of the lanes' consumers
	*advisories
	*prover

	capture *capture
	audit   *audit
}

// settleTrouble is how long work must succeed before trouble with it counts as over.
const settleTrouble = 2 * time.Second

// Open creates or takes over the streams. It must be called before any consumer of a
// lane is made, so that every advisory is stored.
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	cfg = cfg.withDefaults()
	q := &Queue{
		store: &store{js: cfg.JS, stream: cfg.keep(cfg.dlqConfig(), "the dead letters that it held are lost")},
		advisories: &advisories{stream: cfg.keep(cfg.advisoriesConfig(),
			"advisories that were not handled yet are lost; the audit finds their deliveries")},
		watches: &watches{known: make(map[watchKey]*watch)},
	}
	for _, stream := range q.Kept() {
		if err := stream.Open(ctx); err != nil {
			return nil, err
		}
	}
	q.quotas = &quotas{store: q.store, bytes: uint64(cfg.ServiceMaxBytes), log: cfg.Logger}
	q.capture = &capture{
		js: cfg.JS, advisories: q.advisories, quotas: q.quotas, log: cfg.Logger,
		trouble: episode.NewLog(cfg.Logger, "make dead letters of failed deliveries", settleTrouble),
	}
	q.audit = &audit{
		cfg: cfg, watches: q.watches, advisories: q.advisories, capture: q.capture,
		trouble: episode.NewLog(cfg.Logger, "audit exhausted deliveries", settleTrouble),
	}
	q.prover = &prover{audit: q.audit, after: make(map[subjects.Name]time.Time)}
	return q, nil
}

func (c Config) keep(sc jetstream.StreamConfig, loss string) *hubstream.Kept {
	return hubstream.NewKept(hubstream.KeptConfig{JS: c.JS, Stream: sc, Loss: loss, Report: c.Report, Logger: c.Logger})
}

// Kept returns the streams that somebody may delete by hand, so that the hub looks at
// them periodically.
func (q *Queue) Kept() []*hubstream.Kept {
	return []*hubstream.Kept{q.store.stream, q.advisories.stream}
}

// Run captures exhausted and terminated deliveries until ctx ends, then returns
// nil.
func (q *Queue) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return q.capture.run(ctx) })
	group.Go(func() error { return q.audit.run(ctx) })
	return group.Wait()
}

// Add stores the letter of an event that could not be expanded. It has no payload,
// because the service may not be allowed to see it. added is false if the letter was
// already stored.
func (q *Queue) Add(ctx context.Context, service subjects.Name, e *event.Event, reason string, cause error) (added bool, err error) {
	m, id := letterOfEvent(service, e, reason, cause)
	_, added, err = q.appendWithin(ctx, service, m, id)
	return added, err
}

// Hold is the lowest sequence of a lane that must stay because a delivery from there on
// may have failed without its letter being stored yet; the largest number there is when
// nothing is held. workers are the lane's consumers as they were when their ack floors
// were taken: one answer has to give both, since a later one may come from a server that
// knows less.
func (q *Queue) Hold(ctx context.Context, service subjects.Name, workers map[string]*jetstream.ConsumerInfo) (uint64, error) {
	hold := uint64(nothingHeld)
	for _, info := range workers {
		if w, clean := q.observe(service, info); !clean {
			hold = min(hold, w.clean+1)
		}
	}
	lowest, err := q.Unsettled(ctx, service)
	return min(hold, lowest), err
}
