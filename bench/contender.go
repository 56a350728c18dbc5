package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// The ways to fill lanes that are compared.
const (
	wayHub     = "hub"
	waySources = "Sources"
	wayLimit   = "limit"
)

// contender fills lanes on an empty server of its own and is timed doing so.
type contender func(ctx context.Context, l *lab, s *server, lanes, events int) (round, error)

func contenders() map[string]contender {
	return map[string]contender{wayHub: copyByHub, waySources: copyBySources, wayLimit: publishStraight}
}

// copyByHub is copyByHubs with one hub.
func copyByHub(ctx context.Context, l *lab, s *server, lanes, events int) (round, error) {
	return copyByHubs(ctx, l, s, 1, lanes, events)
}

// registerOnly runs a hub for as long as registering takes.
func (l *lab) registerOnly(ctx context.Context, s *server, names []subjects.Name, r contract.Register) error {
	h, err := l.startHub(ctx, s)
	if err != nil {
		return err
	}
	return errors.Join(h.registerAll(ctx, names, r), h.proc.stop())
}

// copyBySources times the server from the moment when streams that exist
// already get ingest as their source, with a filter.
func copyBySources(ctx context.Context, _ *lab, s *server, lanes, events int) (round, error) {
	if err := openIngest(ctx, s.js); err != nil {
		return round{}, err
	}
	if err := preload(ctx, s, 1, events, users); err != nil {
		return round{}, err
	}
	streams, configs, err := plainLanes(ctx, s.js, lanes, sourcedFilter)
	if err != nil {
		return round{}, err
	}
	r, err := timed(ctx, s, streams, events, func(ctx context.Context) (meter, error) {
		return meter{}, addSources(ctx, s.js, configs)
	})
	if err != nil {
		return round{}, err
	}
	return r, checkAll(ctx, s.js, streams, events, sourcedSequence)
}

// sourcedFilter is the subject filter of every source, and what its copies keep
// as their subjects.
func sourcedFilter(int) string { return "db." + entity + ".*" }

// straightSubject is that of copies that are published straight into a lane.
func straightSubject(i int) string { return fmt.Sprintf("straight.%d.%s", i, subject) }

// plainLanes makes streams and work queues like a hub's lanes. Each takes the
// subjects that of gives for itself when it has no source.
func plainLanes(ctx context.Context, js jetstream.JetStream, n int, of func(i int) string) ([]laneStream, []jetstream.StreamConfig, error) {
	names, err := services(n)
	if err != nil {
		return nil, nil, err
	}
	lanes := make([]laneStream, n)
	configs := make([]jetstream.StreamConfig, n)
	for i, service := range names {
		copies := of(i)
		configs[i] = jetstream.StreamConfig{
			Name: subjects.LaneStream(service), Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
			Storage: jetstream.FileStorage, Replicas: 1, DenyDelete: true,
		}
		if copies != sourcedFilter(i) {
			configs[i].Subjects, configs[i].AllowBatchPublish = []string{copies}, true
		}
		stream, err := js.CreateStream(ctx, configs[i])
		if err != nil {
			return nil, nil, fmt.Errorf("create %s: %w", configs[i].Name, err)
		}
		if _, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: contract.ConsumerWorkers, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second,
			MaxDeliver: 10, FilterSubject: copies,
		}); err != nil {
			return nil, nil, fmt.Errorf("create the workers of %s: %w", configs[i].Name, err)
		}
		lanes[i] = laneStream{name: configs[i].Name, stream: stream, copies: copies}
	}
	return lanes, configs, nil
}

// addSources gives every stream ingest as its source.
func addSources(ctx context.Context, js jetstream.JetStream, configs []jetstream.StreamConfig) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(registerAtOnce)
	for i, cfg := range configs {
		cfg.Sources = []*jetstream.StreamSource{{Name: contract.StreamIngest, FilterSubject: sourcedFilter(i)}}
		group.Go(func() error {
			if _, err := js.UpdateStream(ctx, cfg); err != nil {
				return fmt.Errorf("add the source of %s: %w", cfg.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// straightAtOnce is how many lanes the limit writes at a time, as many as the
// hub does.
const straightAtOnce = 8

// publishStraight is the limit: every copier has to write at least this, and here
// nobody reads. The writer's figures are this process's.
func publishStraight(ctx context.Context, _ *lab, s *server, lanes, events int) (round, error) {
	streams, _, err := plainLanes(ctx, s.js, lanes, straightSubject)
	if err != nil {
		return round{}, err
	}
	// Connections of their own: the clock's questions must not wait behind the
	// copies.
	conns, err := dial(s.url, min(lanes, straightAtOnce))
	defer closeAll(conns)
	if err != nil {
		return round{}, err
	}
	group, writing := errgroup.WithContext(ctx)
	r, err := timed(ctx, s, streams, events, func(context.Context) (meter, error) {
		m, err := newMeter(os.Getpid())
		for w, js := range conns {
			group.Go(func() error {
				for i := w; i < len(streams); i += len(conns) {
					if err := fastPublish(writing, js, straightSubject(i), events); err != nil {
						return fmt.Errorf("publish into %s: %w", streams[i].name, err)
					}
				}
				return nil
			})
		}
		return m, err
	})
	if err := errors.Join(err, group.Wait()); err != nil {
		return round{}, err
	}
	return r, checkAll(ctx, s.js, streams, events, nil)
}

func dial(url string, n int) ([]jetstream.JetStream, error) {
	conns := make([]jetstream.JetStream, 0, n)
	for range n {
		nc, err := nats.Connect(url)
		if err != nil {
			return conns, fmt.Errorf("connect to %s: %w", url, err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			nc.Close()
			return conns, err
		}
		conns = append(conns, js)
	}
	return conns, nil
}

func closeAll(conns []jetstream.JetStream) {
	for _, js := range conns {
		js.Conn().Close()
	}
}

// fastPublish writes all events in one fast-ingest batch.
func fastPublish(ctx context.Context, js jetstream.JetStream, subject string, events int) error {
	if events == 1 {
		_, err := js.Publish(ctx, subject, payload(1))
		return err
	}
	batch, err := jetstreamext.NewFastPublisher(js)
	if err != nil {
		return err
	}
	data := make([]byte, payloadBytes) // copied by each call
	for n := 1; n < events; n++ {
		writePayload(data, uint64(n))
		if _, err := batch.Add(subject, data); err != nil {
			return err
		}
	}
	writePayload(data, uint64(events))
	_, err = batch.Commit(ctx, subject, data)
	return err
}
