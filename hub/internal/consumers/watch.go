// Package consumers looks after the consumers of the lanes that this hub owns: a
// consumer that is deleted by hand, or lost in a rewind that was cut short, is
// created again within seconds, behind the copies that are known to be acknowledged.
// So is a consumer by which the server has delivered nothing for a minute although it
// could (stuck.go).
package consumers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// lookEvery is the longest time between two looks at the consumers of one lane.
	lookEvery = 2 * time.Second
	// lookPace is the least time between two looks, so that a hub with a
	// thousand lanes asks for 200 lists of names a second at most.
	lookPace = 5 * time.Millisecond
	// lookTime bounds one look.
	lookTime = 2 * time.Second
	// confirmAfter is the time until a second look at a lane that lacks a consumer.
	// The consumer is created only after that look, because a registration or a
	// rewind may be under way.
	confirmAfter = 500 * time.Millisecond
)

// Config is what a Watch needs. Every field without a default is required.
type Config struct {
	JS          jetstream.JetStream
	Hubs        *ownership.Hubs
	Lanes       *lanes.Set
	Lacking     *lanes.Lacking
	DeadLetters *deadletter.Queue
	// Now is the servers' time, Started when this process began, by that time.
	Now     func() time.Time
	Started time.Time
	// Every is the time between two looks, where that is shorter than two seconds.
	Every time.Duration
	// StuckAfter is how long a consumer that could deliver has delivered nothing when
	// it is created again; a minute by default.
	StuckAfter time.Duration
	// Stood is told where the consumers of a lane stand, as far as their leaders answer; nil
	// for nobody.
	Stood  func(l *lane.Lane, workers map[string]*jetstream.ConsumerInfo)
	Logger *slog.Logger
}

// Watch looks after consumers. Run is called once; the other methods may be called
// concurrently.
type Watch struct {
	cfg Config

	// The rest is used only by Run's goroutine. streams are handles of the lanes'
	// streams; a handle holds no more than the name.
	streams map[subjects.Name]jetstream.Stream
	// since is when a lane was found to lack consumers.
	since map[subjects.Name]lack
	// stands is where the consumers of a lane stand.
	stands map[subjects.Name]*stands
	// complete are the queues whose consumers all existed at a look.
	complete map[subjects.Name]queue
}

// queue tells a lane's queue from those before.
type queue struct {
	contract.Queue
	from uint64
}

func queueOf(s lane.State) queue { return queue{s.Queue, s.QueueFrom} }

// New makes a Watch.
func New(cfg Config) *Watch {
	cfg.StuckAfter = cmp.Or(cfg.StuckAfter, stuckAfter)
	return &Watch{
		cfg: cfg, streams: make(map[subjects.Name]jetstream.Stream), since: make(map[subjects.Name]lack), stands: make(map[subjects.Name]*stands),
		complete: make(map[subjects.Name]queue),
	}
}

// Settled returns what this hub knows of a service's consumers.
func (w *Watch) Settled(service subjects.Name) lane.SettledFunc {
	return func(consumer string) lane.Settled { return w.cfg.DeadLetters.Settled(service, consumer) }
}

// Ensure creates the consumers of the queue in force, and checks afterwards that the
// same queue is still in force: a concurrent registration may have changed it. It
// returns the state of that queue.
func (w *Watch) Ensure(ctx context.Context, service subjects.Name, s lane.State) (lane.State, error) {
	for {
		if err := lane.EnsureConsumers(ctx, w.cfg.JS, service, s, w.Settled(service)); err != nil {
			return s, err
		}
		now, err := w.cfg.Lanes.State(ctx, service)
		if err != nil || (now.Queue == s.Queue && now.QueueFrom == s.QueueFrom) {
			return s, err
		}
		s = now
	}
}

// lack is how many consumers a lane lacked, and since when the number has not fallen.
type lack struct {
	since   time.Time
	missing int
}

// Run looks at the lanes' consumers until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	every := min(lookEvery, w.cfg.Every)
	confirm := min(confirmAfter, every)
	for {
		pause := every
		for _, l := range w.cfg.Lanes.All() {
			if !w.concerns(l) {
				w.forget(l.Service())
				continue
			}
			if err := retry.Sleep(ctx, min(lookPace, every)); err != nil {
				return nil
			}
			looking, cancel := context.WithTimeout(ctx, lookTime)
			w.look(looking, l, confirm)
			cancel()
			if _, lacks := w.since[l.Service()]; lacks {
				pause = confirm
			}
		}
		if err := retry.Sleep(ctx, pause); err != nil {
			return nil
		}
	}
}

// concerns reports whether this hub looks after a lane's consumers.
func (w *Watch) concerns(l *lane.Lane) bool {
	s := l.Status()
	return l.Owned() && l.Parked() == "" && s.Last > 0 && !s.State.Dropped
}

func (w *Watch) forget(service subjects.Name) {
	delete(w.streams, service)
	delete(w.since, service)
	delete(w.stands, service)
	delete(w.complete, service)
	w.cfg.Lacking.Clear(service, lanes.Consumers)
	w.cfg.Lacking.Clear(service, lanes.Deliveries)
}

// look looks at one lane.
func (w *Watch) look(ctx context.Context, l *lane.Lane, confirm time.Duration) {
	service := l.Service()
	stream, err := w.stream(ctx, service)
	var missing []string
	if err == nil {
		missing, err = lane.MissingConsumers(ctx, stream, l.Status().State)
	}
	switch {
	case errors.Is(err, lane.ErrNoLane):
		l.Recheck() // its loop ends, and reconciling says what is lost
		w.forget(service)
	case err != nil:
		w.cfg.Logger.Debug("look at consumers", "service", service.String(), "err", err)
	case len(missing) == 0:
		w.whole(ctx, l)
		w.stand(ctx, l, stream)
	default:
		w.lacks(ctx, l, missing, confirm)
	}
}

func (w *Watch) stream(ctx context.Context, service subjects.Name) (jetstream.Stream, error) {
	if s := w.streams[service]; s != nil {
		return s, nil
	}
	s, err := w.cfg.Lanes.Stream(ctx, service)
	if err == nil {
		w.streams[service] = s
	}
	return s, err
}

// whole finishes a rewind whose consumers all exist, and whose hub is gone.
func (w *Watch) whole(ctx context.Context, l *lane.Lane) {
	delete(w.since, l.Service())
	w.cfg.Lacking.Clear(l.Service(), lanes.Consumers)
	state := l.Status().State
	w.complete[l.Service()] = queueOf(state)
	if r := state.Rewound; r == nil || r.Done || !w.cfg.Hubs.GivenUp(ctx, r.Hub, r.Begun, w.cfg.Started, w.cfg.Now()) {
		return
	}
	w.cfg.Logger.Warn("finishing a rewind that was cut short", "service", l.Service().String(), "hub", state.Rewound.Hub)
	if _, _, err := l.FinishRewind(ctx, state); err != nil && ctx.Err() == nil {
		w.cfg.Logger.Warn("finish a rewind; trying again", "service", l.Service().String(), "err", err)
	}
}

// notes takes the missing consumers of a look, and reports whether to create them: if
// a second look, some time after the first, finds no fewer. Fewer than before means
// that a registration or a rewind is creating them.
func (w *Watch) notes(service subjects.Name, missing int, now time.Time, confirm time.Duration) (create bool) {
	known, before := w.since[service]
	if !before || missing < known.missing {
		w.since[service] = lack{since: now, missing: missing}
		return false
	}
	return now.Sub(known.since) >= confirm
}

// lacks creates missing consumers, at the second look.
func (w *Watch) lacks(ctx context.Context, l *lane.Lane, missing []string, confirm time.Duration) {
	service := l.Service()
	w.cfg.Lacking.Set(service, lanes.Consumers, fmt.Sprintf("lane %s: %s", service, MissingText(missing)))
	if !w.notes(service, len(missing), time.Now(), confirm) {
		return
	}
	state, err := w.cfg.Lanes.State(ctx, service)
	if err == nil && state.Dropped {
		return
	}
	if err == nil {
		_, err = w.Ensure(ctx, service, state)
	}
	if err != nil {
		w.cfg.Logger.Warn("create missing consumers; trying again", "service", service.String(), "consumers", missing, "err", err)
		w.cfg.Lacking.Set(service, lanes.Consumers, fmt.Sprintf("lane %s: %s; creating them: %v", service, MissingText(missing), err))
		return
	}
	if before, was := w.complete[service]; was && before == queueOf(state) {
		w.cfg.Logger.Error("consumers were missing and are created again: somebody deleted them, or a rewind was cut short; what is not known to be acknowledged is delivered again",
			"service", service.String(), "consumers", missing)
	} else {
		w.cfg.Logger.Warn("consumers were missing and are created: a registration or a rewind was cut short or is slow, or somebody deleted them before this hub looked; what is not known to be acknowledged is delivered",
			"service", service.String(), "consumers", missing)
	}
	delete(w.since, service)
	w.cfg.Lacking.Clear(service, lanes.Consumers)
}

// MissingText says what missing consumers mean for a lane.
func MissingText(missing []string) string {
	if len(missing) == 1 {
		return fmt.Sprintf("consumer %s is missing: its copies wait until the hub has created it again", missing[0])
	}
	return fmt.Sprintf("consumers %s are missing: their copies wait until the hub has created them again", strings.Join(missing, ", "))
}
