package lane

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// lookUnused is the time after which the server removes a consumer that only counted.
const lookUnused = 5 * time.Second

// LookRewind returns what Rewind would return now, and changes nothing. Copies that
// arrive later count too when it is done.
func (l *Lane) LookRewind(ctx context.Context, target RewindTarget) (seq, redelivered uint64, err error) {
	tip, err := ReadTip(ctx, l.env.JS, l.service)
	if err != nil {
		return 0, 0, err
	}
	plan, err := l.planRewind(ctx, tip.State, target)
	if err != nil {
		return 0, 0, err
	}
	s := tip.State.Clone()
	s.Rewound = plan
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if err != nil {
		return 0, 0, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	lowest := plan.From
	for _, cfg := range consumerConfigs(l.service, s, stream.CachedInfo()) {
		n, err := countFrom(ctx, stream, cfg)
		if err != nil {
			return 0, 0, fmt.Errorf("count what consumer %s of lane %s would get again: %w", cfg.Durable, l.service, err)
		}
		lowest = min(lowest, s.StartOf(cfg.Durable))
		redelivered += n
	}
	if redelivered == 0 {
		return 0, 0, nil
	}
	first, err := copyAt(ctx, stream, lowest, stream.CachedInfo().State.LastSeq)
	return first.Seq, redelivered, err
}

// countFrom counts what a consumer would be delivered, by one that delivers nothing. It
// has no mark of the hub's, so that nobody takes it for a worker's.
func countFrom(ctx context.Context, stream jetstream.Stream, cfg jetstream.ConsumerConfig) (uint64, error) {
	c, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: cfg.FilterSubject, DeliverPolicy: cfg.DeliverPolicy, OptStartSeq: cfg.OptStartSeq,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, HeadersOnly: true, InactiveThreshold: lookUnused,
	})
	if err != nil {
		return 0, err
	}
	info := c.CachedInfo()
	_ = stream.DeleteConsumer(ctx, info.Name) // the server also removes it, a little later
	return info.NumPending, nil
}
