package lane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// pinnedTTL is how long a partition's consumer stays pinned to an instance that no
// longer sends requests: about the time of a failover.
const pinnedTTL = 2 * time.Second

// The server's error codes when a consumer of the same name is removed while it
// creates or updates one (nats-server, JSConsumerCreateErrF, JSConsumerDoesNotExist).
const (
	codeConsumerCreate jetstream.ErrorCode = 10012
	codeConsumerGone   jetstream.ErrorCode = 10149
)

// createPatience is the longest wait between two attempts to make a consumer.
const createPatience = 200 * time.Millisecond

// consumerConfigs are the consumers of a queue. No consumer sees state
// records, and a lane's workers all together see every copy.
func consumerConfigs(service subjects.Name, s State, stream *jetstream.StreamInfo) []jetstream.ConsumerConfig {
	q := s.Queue
	base := jetstream.ConsumerConfig{
		Description:   "replhub: the workers of " + service.String(),
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       time.Duration(q.AckWait),
		MaxDeliver:    q.MaxDeliver,
		Replicas:      stream.Config.Replicas,
		Metadata:      map[string]string{contract.MetadataKey: contract.MetadataValue, generationKey: generation(s, stream)},
	}
	names := Consumers(q)
	configs := make([]jetstream.ConsumerConfig, 0, len(names))
	for i, name := range names {
		c := base
		c.Durable = name
		startAt(&c, s.StartOf(name))
		c.FilterSubject = subjects.WorkerFilter(service, -1)
		if q.Order == OrderKey {
			c.FilterSubject = subjects.WorkerFilter(service, i)
			c.PriorityPolicy = jetstream.PriorityPolicyPinned
			c.PriorityGroups = []string{contract.GroupWorkers}
			c.PinnedTTL = pinnedTTL
		}
		configs = append(configs, c)
	}
	return configs
}

// EnsureConsumers makes the consumers of a state's queue, and removes those of an
// earlier queue. Consumers that are not the hub's stay untouched. A missing consumer
// starts behind the copies that settled proves as acknowledged, or where the state
// says.
func EnsureConsumers(ctx context.Context, js jetstream.JetStream, service subjects.Name, s State, settled SettledFunc) error {
	stream, err := js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return ErrNoLane
	}
	if err != nil {
		return fmt.Errorf("look up lane %s: %w", service, err)
	}
	have, err := hubConsumers(ctx, js, stream)
	if err != nil {
		return err
	}
	for _, cfg := range consumerConfigs(service, s, stream.CachedInfo()) {
		old, ok := have[cfg.Durable]
		delete(have, cfg.Durable)
		if ok && sameConsumer(old.Config, cfg) {
			continue
		}
		if ok {
			cfg.PauseUntil = old.Config.PauseUntil // an update must not resume it
			// Nor may an update change where it starts.
			cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = old.Config.DeliverPolicy, old.Config.OptStartSeq, old.Config.OptStartTime
			cfg.Metadata[generationKey] = GenerationOf(old)
		} else {
			goOn(s, &cfg, stream.CachedInfo(), settled)
		}
		if err := createConsumer(ctx, stream, cfg); err != nil {
			return fmt.Errorf("create consumer %s of lane %s: %w", cfg.Durable, service, err)
		}
	}
	for name := range have {
		if err := stream.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("remove consumer %s of lane %s: %w", name, service, err)
		}
	}
	return nil
}

// createConsumer creates or updates a consumer. A concurrent registration, here or at
// another hub, may be removing the consumer. The server then returns an error, which
// is over within milliseconds.
func createConsumer(ctx context.Context, stream jetstream.Stream, cfg jetstream.ConsumerConfig) error {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		_, err := stream.CreateOrUpdateConsumer(ctx, cfg)
		if !removedMeanwhile(err) || wait > createPatience {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

func removedMeanwhile(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == codeConsumerCreate || api.ErrorCode == codeConsumerGone)
}

func sameConsumer(have, want jetstream.ConsumerConfig) bool {
	return have.AckWait == want.AckWait && have.MaxDeliver == want.MaxDeliver &&
		(have.Replicas == 0 || have.Replicas == max(want.Replicas, 1)) && // 0: those of the stream
		have.FilterSubject == want.FilterSubject && have.PriorityPolicy == want.PriorityPolicy
}

// Idle reports whether every copy up to the end of a lane is acknowledged, no copy
// still lacks its dead letter, and the end is still where the tip says.
func (l *Lane) Idle(ctx context.Context, tip Tip) (bool, error) {
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if err != nil {
		return false, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	if stream.CachedInfo().State.LastSeq != tip.Last {
		return false, nil
	}
	asked := time.Now()
	consumers, err := hubConsumers(ctx, l.env.JS, stream)
	if err != nil {
		return false, err
	}
	for _, name := range Consumers(tip.State.Queue) {
		if consumers[name] == nil {
			return false, nil // it is unknown which copies a missing consumer has not acknowledged
		}
	}
	floor, err := lowestFloor(ctx, stream, tip.Last, consumers, l.standings.look(consumers, asked, time.Now()))
	if err != nil || floor < tip.Last {
		return false, err
	}
	low, err := l.env.Hold(ctx, l.service, consumers)
	return low > tip.Last, err
}

// Workers returns the lane's consumers that the hub made, by name.
func Workers(ctx context.Context, js jetstream.JetStream, service subjects.Name) (map[string]*jetstream.ConsumerInfo, error) {
	stream, err := js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoLane
	}
	if err != nil {
		return nil, fmt.Errorf("look up lane %s: %w", service, err)
	}
	return hubConsumers(ctx, js, stream)
}

// hubConsumers are a lane's consumers that the hub made, by name. The server's list
// leaves out consumers whose leader does not answer. The names therefore come from
// the meta layer, and each consumer left out is looked up by itself. So a consumer is
// absent only if the server says that it does not exist.
func hubConsumers(ctx context.Context, js jetstream.JetStream, stream jetstream.Stream) (map[string]*jetstream.ConsumerInfo, error) {
	name := stream.CachedInfo().Config.Name
	found, err := listConsumers(ctx, stream)
	if err != nil {
		return nil, err
	}
	names, err := jsapi.ConsumerNames(ctx, js, name)
	if err != nil {
		return nil, err
	}
	for _, consumer := range names {
		if !IsWorkers(consumer) || found[consumer] != nil {
			continue
		}
		c, err := stream.Consumer(ctx, consumer)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			continue
		case err != nil:
			return nil, fmt.Errorf("look up consumer %s of %s: %w", consumer, name, err)
		}
		found[consumer] = c.CachedInfo()
	}
	maps.DeleteFunc(found, func(_ string, info *jetstream.ConsumerInfo) bool {
		return info.Config.Metadata[contract.MetadataKey] != contract.MetadataValue
	})
	return found, nil
}

// listConsumers are the consumers with a work queue's name that the server lists.
func listConsumers(ctx context.Context, stream jetstream.Stream) (map[string]*jetstream.ConsumerInfo, error) {
	return retry.Read(ctx, func(ctx context.Context) (map[string]*jetstream.ConsumerInfo, error) {
		found := make(map[string]*jetstream.ConsumerInfo)
		list := stream.ListConsumers(ctx)
		for info := range list.Info() {
			if IsWorkers(info.Name) {
				found[info.Name] = info
			}
		}
		if err := list.Err(); err != nil {
			return nil, fmt.Errorf("list consumers of %s: %w", stream.CachedInfo().Config.Name, err)
		}
		return found, nil
	})
}

// IsWorkers reports whether a consumer has the name of a work queue.
func IsWorkers(name string) bool {
	if name == contract.ConsumerWorkers {
		return true
	}
	number, ok := strings.CutPrefix(name, contract.ConsumerWorkers+"-")
	if !ok {
		return false
	}
	_, err := strconv.Atoi(number)
	return err == nil
}
