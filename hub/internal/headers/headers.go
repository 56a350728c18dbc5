// Package headers reads the headers of a stream's messages, without their payloads
// and in few round trips. It is for occasional questions: each call makes a consumer,
// which the server removes again.
package headers

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// unused is the time after which the server removes an abandoned consumer.
const unused = 10 * time.Second

// Entry is one message without its payload.
type Entry struct {
	jetstream.Msg
	// Seq is its sequence in the stream, Time when it was stored.
	Seq  uint64
	Time time.Time
}

// Since goes over the messages of a subject that were stored at a time or later,
// at most n, in their order. complete is false when there are more.
func Since(ctx context.Context, stream jetstream.Stream, subject string, from time.Time, limit int, each func(Entry)) (complete bool, err error) {
	c, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: subject, HeadersOnly: true, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from, InactiveThreshold: unused,
	})
	if err != nil {
		return false, fmt.Errorf("read the headers of %s: %w", subject, err)
	}
	info := c.CachedInfo()
	defer func() {
		// The server also removes it, a little later.
		_ = stream.DeleteConsumer(context.WithoutCancel(ctx), info.Name)
	}()
	left := int(min(info.NumPending, uint64(limit)))
	for left > 0 {
		batch, err := c.Fetch(left, jetstream.FetchContext(ctx))
		if err != nil {
			return false, fmt.Errorf("read the headers of %s: %w", subject, err)
		}
		before := left
		for m := range batch.Messages() {
			left--
			meta, err := m.Metadata()
			if err != nil {
				return false, fmt.Errorf("read the headers of %s: %w", subject, err)
			}
			each(Entry{Msg: m, Seq: meta.Sequence.Stream, Time: meta.Timestamp.UTC()})
		}
		if err := batch.Error(); err != nil {
			return false, fmt.Errorf("read the headers of %s: %w", subject, err)
		}
		if left == before {
			return false, nil // removed meanwhile
		}
	}
	return info.NumPending <= uint64(limit), nil
}
