package lane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/rewind"
	"github.com/replhub/replhub/subjects"
)

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
	return rewind.Generation(s, laneOf(stream))
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
	state, err := l.recordRewind(ctx, target)
	if err != nil {
		return 0, 0, err
	}
	l.env.Failpoint("rewind recorded")
	return l.FinishRewind(ctx, state)
}

// recordRewind plans a rewind and records it.
func (l *Lane) recordRewind(ctx context.Context, target RewindTarget) (State, error) {
	l.purging.Lock()
	defer l.purging.Unlock()
	return l.Change(ctx, func(ctx context.Context, tip Tip) (State, bool, error) {
		plan, err := l.planRewind(ctx, tip.State, target)
		if err != nil {
			return State{}, false, err
		}
		plan.Hub, plan.Begun = l.env.Hub, l.env.Ingest.Now()
		s := tip.State.Clone()
		s.Rewound = plan
		return s, true, nil
	})
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
	f := finishing{lane: l, stream: stream, state: s, lowest: s.Rewound.From}
	for step := rewind.Finish(s, laneOf(stream.CachedInfo())); ; {
		if done, over := step.(rewind.Done); over {
			if err := done.Err; err != nil {
				return 0, 0, fmt.Errorf("rewind the consumers of lane %s: %w", l.service, err)
			}
			break
		}
		if step, err = f.perform(ctx, step); err != nil {
			return 0, 0, fmt.Errorf("rewind the consumers of lane %s: %w", l.service, err)
		}
	}
	if f.redelivered == 0 {
		return 0, 0, nil
	}
	first, err := copyAt(ctx, stream, f.lowest, stream.CachedInfo().State.LastSeq)
	return first.Seq, f.redelivered, err
}

// finishing creates the consumers of a rewind, and counts what they get.
type finishing struct {
	lane   *Lane
	stream jetstream.Stream
	state  State

	lowest, redelivered uint64
}

func (f *finishing) perform(ctx context.Context, step rewind.Step) (rewind.Step, error) {
	switch s := step.(type) {
	case rewind.SeeState:
		tip, err := ReadTip(ctx, f.lane.env.JS, f.lane.service)
		if err != nil {
			return nil, err
		}
		return s.Then(tip.State), nil
	case rewind.SeeConsumer:
		c, err := f.stream.Consumer(ctx, s.Name)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			return s.Then("", false), nil
		case err != nil:
			return nil, err
		}
		have := GenerationOf(c.CachedInfo())
		if have == generation(f.state, f.stream.CachedInfo()) {
			f.counts(c.CachedInfo())
		}
		return s.Then(have, true), nil
	case rewind.DeleteConsumer:
		if err := f.stream.DeleteConsumer(ctx, s.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, err
		}
		f.lane.env.Failpoint("rewind deleted")
		return s.Then(), nil
	case rewind.CreateConsumer:
		return f.create(ctx, s)
	case rewind.RecordDone:
		now, err := f.lane.Change(ctx, func(_ context.Context, tip Tip) (State, bool, error) {
			next, changed := rewind.Recorded(tip.State, s.Of)
			return next, changed, nil
		})
		if err != nil {
			return nil, err
		}
		return s.Then(now), nil
	}
	return nil, fmt.Errorf("no such step: %T", step)
}

func (f *finishing) create(ctx context.Context, s rewind.CreateConsumer) (rewind.Step, error) {
	for _, cfg := range consumerConfigs(f.lane.service, s.State, f.stream.CachedInfo()) {
		if cfg.Durable != s.Name {
			continue
		}
		if s.State.Rewound != nil {
			cfg.PauseUntil = s.State.Rewound.PausedUntil
		}
		c, err := f.stream.CreateConsumer(ctx, cfg)
		switch {
		case err == nil:
			f.counts(c.CachedInfo())
			return s.Then(true), nil
		case errors.Is(err, jetstream.ErrConsumerExists), removedMeanwhile(err):
			return s.Then(false), nil
		default:
			return nil, err
		}
	}
	return nil, fmt.Errorf("the queue has no consumer %s", s.Name)
}

// counts adds what a consumer gets.
func (f *finishing) counts(c *jetstream.ConsumerInfo) {
	f.lowest = min(f.lowest, f.state.StartOf(c.Name))
	f.redelivered += c.NumPending
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
