package scrub

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

const (
	// readAtOnce is how many messages are requested at a time, readTime how long the
	// server may wait for them, and unused the time after which it removes an abandoned
	// consumer.
	readAtOnce = 1000
	readTime   = time.Second
	unused     = 10 * time.Second
	// askTime is how long one answer of the server is waited for: a request that is under
	// way when the connection is lost is never answered.
	askTime = 2 * time.Second
	// maxReaders bounds the consumers that a review of a stream with replicas makes, each of
	// which the server places on one of them.
	maxReaders = 6
)

// reading is what one server returned of a stream.
type reading struct {
	server string
	gaps   []record.Gap
}

// read reads the headers of a stream from one sequence to another, on as many of its
// servers as maxReaders find. At the end of the stream a server with replicas may not have
// the newest messages yet.
func read(ctx context.Context, stream jetstream.Stream, from, to uint64) ([]reading, error) {
	var all []reading
	seen := make(map[string]bool)
	replicas := max(stream.CachedInfo().Config.Replicas, 1)
	for range maxReaders {
		one, err := readOne(ctx, stream, from, to, seen)
		if err != nil {
			return nil, fmt.Errorf("read %s from %d: %w", stream.CachedInfo().Config.Name, from, err)
		}
		if one != nil {
			seen[one.server] = true
			all = append(all, *one)
		}
		if replicas == 1 || len(all) == replicas {
			break
		}
	}
	return all, nil
}

// readOne reads by one consumer; nil if the consumer is on a server that was seen.
func readOne(ctx context.Context, stream jetstream.Stream, from, to uint64, seen map[string]bool) (*reading, error) {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	c, err := stream.CreateConsumer(asking, jetstream.ConsumerConfig{
		HeadersOnly: true, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, InactiveThreshold: unused,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		// The server also removes it, a little later.
		_ = stream.DeleteConsumer(context.WithoutCancel(ctx), c.CachedInfo().Name)
	}()
	server := ""
	if at := c.CachedInfo().Cluster; at != nil {
		server = at.Leader
	}
	if seen[server] {
		return nil, nil
	}
	h := holes{next: from}
	for h.next <= to {
		came, err := readBlock(ctx, c, &h, to)
		if err != nil {
			return nil, err
		}
		if !came {
			break
		}
	}
	if h.next <= to && stream.CachedInfo().Config.Replicas <= 1 {
		h.came(to + 1)
	}
	return &reading{server, h.upTo(to)}, nil
}

// readBlock reads some messages. It reports whether any came.
func readBlock(ctx context.Context, c jetstream.Consumer, h *holes, to uint64) (came bool, err error) {
	batch, err := c.Fetch(int(min(to-h.next+1, readAtOnce)), jetstream.FetchMaxWait(readTime))
	if err != nil {
		return false, err
	}
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return came, err
		}
		h.came(meta.Sequence.Stream)
		came = true
	}
	if err := batch.Error(); err != nil {
		return came, err
	}
	return came, ctx.Err()
}
