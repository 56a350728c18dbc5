package lane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/subjects"
)

// A rewind deletes consumers and creates them at another place. The place is first
// recorded in the lane's state. A consumer that is missing later, since the rewind
// was cut short or somebody deleted it, is then created at exactly that place, by the
// hub that notices.
//
// The server can reset a consumer in place from 2.14 on, but not below the place
// where it was created to start, and the consumer keeps its creation time, by which
// subscribers recognise a rewind.

// generationKey is the consumers' metadata that says under which queue and rewind
// each was created.
const generationKey = "replhub_generation"

// laneOf distinguishes a lane from an earlier, dropped lane of the same name: their
// sequences are unrelated.
func laneOf(stream *jetstream.StreamInfo) string {
	return strconv.FormatInt(stream.Created.UnixNano(), 36) + "/"
}

// generation names the place where a state makes the consumers of a stream start.
func generation(s State, stream *jetstream.StreamInfo) string {
	id := laneOf(stream) + strconv.FormatUint(s.QueueFrom, 10)
	if s.Rewound != nil {
		id += "/" + s.Rewound.ID
	}
	return id
}

// GenerationOf is the generation that a consumer was created under.
func GenerationOf(info *jetstream.ConsumerInfo) string { return info.Config.Metadata[generationKey] }

func startAt(cfg *jetstream.ConsumerConfig, from uint64) {
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverAllPolicy, 0
	if from > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from
	}
}

// Settled is the knowledge of a consumer from before it went missing.
type Settled struct {
	// UpTo is a sequence up to which every copy is acknowledged, or its dead letter
	// stored.
	UpTo uint64
	// Generation is the consumer's generation. Acknowledgements of another generation
	// (rewind, queue or lane) say nothing about the copies that are due now.
	Generation  string
	PausedUntil *time.Time
}

// SettledFunc returns what is known of a consumer; with nil nothing is known.
type SettledFunc func(consumer string) Settled

// goOn makes a missing consumer start behind the copies that are proven to be
// acknowledged, and be paused as it was.
func goOn(s State, cfg *jetstream.ConsumerConfig, stream *jetstream.StreamInfo, settled SettledFunc) {
	from := max(s.StartOf(cfg.Durable), s.ResumedFrom(cfg.Durable, generation(s, stream)))
	if settled != nil {
		known := settled(cfg.Durable)
		if known.UpTo > stream.State.LastSeq {
			known.UpTo = 0 // of messages that the stream has lost
		}
		if known.Generation == generation(s, stream) && known.UpTo+1 > max(from, 1) {
			from = known.UpTo + 1
		}
		if known.Generation == "" || strings.HasPrefix(known.Generation, laneOf(stream)) {
			cfg.PauseUntil = known.PausedUntil
		}
	}
	if r := s.Rewound; r != nil && !r.Done && r.PausedUntil != nil {
		cfg.PauseUntil = r.PausedUntil
	}
	if cfg.PauseUntil != nil && !cfg.PauseUntil.After(time.Now()) {
		cfg.PauseUntil = nil
	}
	startAt(cfg, from)
}

// Rewind makes the lane's workers start again from a target. It returns the ingest
// sequence of the first copy that they get again (0 when there is none yet) and the
// number of such copies. Copies that workers hold unacknowledged at that moment are
// delivered again as well.
func (l *Lane) Rewind(ctx context.Context, target RewindTarget) (seq, redelivered uint64, err error) {
	state, err := l.Change(ctx, func(ctx context.Context, tip Tip) (State, bool, error) {
		plan, err := l.planRewind(ctx, tip.State, target)
		if err != nil {
			return State{}, false, err
		}
		plan.Hub, plan.Begun = l.env.Hub, l.env.Ingest.Now()
		s := tip.State.Clone()
		s.Rewound = plan
		return s, true, nil
	})
	if err != nil {
		return 0, 0, err
	}
	l.env.Failpoint("rewind recorded")
	return l.FinishRewind(ctx, state)
}

// FinishRewind creates the consumers that a recorded rewind has not yet created, and
// records that it is done.
func (l *Lane) FinishRewind(ctx context.Context, s State) (seq, redelivered uint64, err error) {
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, 0, ErrNoLane
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	lowest := s.Rewound.From
	for _, cfg := range consumerConfigs(l.service, s, stream.CachedInfo()) {
		cfg.PauseUntil = s.Rewound.PausedUntil
		info, err := l.recreate(ctx, stream, cfg)
		if err != nil {
			return 0, 0, fmt.Errorf("rewind consumer %s of lane %s: %w", cfg.Durable, l.service, err)
		}
		lowest = min(lowest, s.StartOf(cfg.Durable))
		redelivered += info.NumPending
	}
	if err := l.rewindDone(ctx, s.Rewound.ID); err != nil {
		return 0, 0, err
	}
	if redelivered == 0 {
		return 0, 0, nil
	}
	first, _, err := copyAt(ctx, stream, lowest, stream.CachedInfo().State.LastSeq)
	return first.mark.Seq, redelivered, err
}

// recreate creates a consumer in place of one of another generation.
func (l *Lane) recreate(ctx context.Context, stream jetstream.Stream, cfg jetstream.ConsumerConfig) (*jetstream.ConsumerInfo, error) {
	for range 3 {
		old, err := stream.Consumer(ctx, cfg.Durable)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, err
		}
		if err == nil {
			if info := old.CachedInfo(); GenerationOf(info) == cfg.Metadata[generationKey] {
				return info, nil // another hub has created it
			}
			if err := stream.DeleteConsumer(ctx, cfg.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return nil, err
			}
			l.env.Failpoint("rewind deleted")
		}
		c, err := stream.CreateConsumer(ctx, cfg)
		if err == nil {
			return c.CachedInfo(), nil
		}
		if !errors.Is(err, jetstream.ErrConsumerExists) && !removedMeanwhile(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: others create and delete it", jetstream.ErrConsumerExists)
}

func (l *Lane) rewindDone(ctx context.Context, id string) error {
	_, err := l.Change(ctx, func(_ context.Context, tip Tip) (State, bool, error) {
		s := tip.State.Clone()
		if s.Rewound == nil || s.Rewound.ID != id || s.Rewound.Done {
			return s, false, nil
		}
		s.Rewound = s.Rewound.Finished()
		return s, true, nil
	})
	return err
}

// MissingConsumers returns the consumers of a state's queue that the server does not
// have. The names come from the server that leads the others, so that one whose
// leader does not answer is not missing. It costs one request. The stream handle may
// be of any age.
func MissingConsumers(ctx context.Context, stream jetstream.Stream, s State) ([]string, error) {
	have := make(map[string]bool)
	list := stream.ConsumerNames(ctx)
	for name := range list.Name() {
		have[name] = true
	}
	if err := list.Err(); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoLane
	} else if err != nil {
		return nil, fmt.Errorf("list consumers: %w", err)
	}
	var missing []string
	for _, name := range Consumers(s.Queue) {
		if !have[name] {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// peekTime is how long the server keeps a consumer that counts copies.
const peekTime = 5 * time.Second

// Unsettled counts the copies that a missing consumer gets when it is created
// again.
func Unsettled(ctx context.Context, stream jetstream.Stream, service subjects.Name, s State, name string, settled SettledFunc) (uint64, error) {
	for _, cfg := range consumerConfigs(service, s, stream.CachedInfo()) {
		if cfg.Durable != name {
			continue
		}
		goOn(s, &cfg, stream.CachedInfo(), settled)
		c, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Description: "replhub: counts copies", AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: peekTime,
			FilterSubject: cfg.FilterSubject, DeliverPolicy: cfg.DeliverPolicy, OptStartSeq: cfg.OptStartSeq,
		})
		if err != nil {
			return 0, fmt.Errorf("count the copies for consumer %s: %w", name, err)
		}
		_ = stream.DeleteConsumer(ctx, c.CachedInfo().Name) // the consumer also expires by itself
		return c.CachedInfo().NumPending, nil
	}
	return 0, nil
}
