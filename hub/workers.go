package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// workersEvery is the time between two looks at the consumers of one lane; with
	// TrimEvery below that, it is as short.
	workersEvery = 2 * time.Second
	// workersPace is the least time between two looks, so that a hub with a
	// thousand lanes asks for 200 lists of names a second at most.
	workersPace = 5 * time.Millisecond
	// workersTime bounds one look.
	workersTime = 2 * time.Second
	// workersAgain is when a lane that lacks a consumer is looked at once more,
	// before anything is done: a registration or a rewind may be under way.
	workersAgain = 500 * time.Millisecond
)

// lacking are lanes whose stream or consumers are not there, in words, by what
// is lacking.
type lacking struct {
	mu   sync.Mutex // guards text
	text map[string]string
}

func (l *lacking) set(about, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == nil {
		l.text = make(map[string]string)
	}
	l.text[about] = text
}

func (l *lacking) clear(about string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.text, about)
}

func (l *lacking) has(about string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text[about] != ""
}

func (l *lacking) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Values(l.text))
}

// settled tells what this hub knows of a service's consumers.
func (h *Hub) settled(service subjects.Name) lane.SettledFunc {
	return func(consumer string) lane.Settled { return h.letters.Settled(service, consumer) }
}

// workers looks after the consumers of the lanes that this hub owns.
type workers struct {
	hub *Hub
	// streams are handles of the lanes' streams; a handle holds no more than the
	// name.
	streams map[subjects.Name]jetstream.Stream
	// since is when a lane was found to lack consumers.
	since map[subjects.Name]lack
}

// lack is how many consumers a lane lacked, and since when it was not fewer.
type lack struct {
	since   time.Time
	missing int
}

// watchWorkers has a consumer that is deleted by hand, or lost in a rewind that
// was cut short, come back within seconds.
func (h *Hub) watchWorkers(ctx context.Context) error {
	w := &workers{hub: h, streams: make(map[subjects.Name]jetstream.Stream), since: make(map[subjects.Name]lack)}
	every := min(workersEvery, h.cfg.TrimEvery)
	again := min(workersAgain, every)
	for {
		pause := every
		for _, l := range h.lanes.all() {
			if !w.concerns(l) {
				w.forget(l.Service())
				continue
			}
			if err := sleep(ctx, min(workersPace, every)); err != nil {
				return nil
			}
			looking, cancel := context.WithTimeout(ctx, workersTime)
			w.look(looking, l, again)
			cancel()
			if _, lacks := w.since[l.Service()]; lacks {
				pause = again
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return nil
		}
	}
}

// concerns reports whether this hub looks after a lane's consumers.
func (w *workers) concerns(l *lane.Lane) bool {
	s := l.Status()
	return l.Owned() && l.Parked() == "" && s.Last > 0 && !s.State.Dropped
}

func (w *workers) forget(service subjects.Name) {
	delete(w.streams, service)
	delete(w.since, service)
	w.hub.lacking.clear(consumersOf(service))
}

// consumersOf names a lane's consumers among what lanes lack.
func consumersOf(service subjects.Name) string { return "consumers of " + service.String() }

// look looks at one lane.
func (w *workers) look(ctx context.Context, l *lane.Lane, again time.Duration) {
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
		w.hub.log.Debug("look at consumers", "service", service.String(), "err", err)
	case len(missing) == 0:
		w.whole(ctx, l)
	default:
		w.lacks(ctx, l, missing, again)
	}
}

func (w *workers) stream(ctx context.Context, service subjects.Name) (jetstream.Stream, error) {
	if s := w.streams[service]; s != nil {
		return s, nil
	}
	s, err := w.hub.js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, lane.ErrNoLane
	}
	if err != nil {
		return nil, fmt.Errorf("look up lane %s: %w", service, err)
	}
	w.streams[service] = s
	return s, nil
}

// whole finishes a rewind of which every consumer is there, and whose hub is not.
func (w *workers) whole(ctx context.Context, l *lane.Lane) {
	delete(w.since, l.Service())
	w.hub.lacking.clear(consumersOf(l.Service()))
	state := l.Status().State
	if r := state.Rewound; r == nil || r.Done || !w.hub.givenUp(ctx, r.Hub, r.Begun) {
		return
	}
	w.hub.log.Warn("finishing a rewind that was cut short", "service", l.Service().String(), "hub", state.Rewound.Hub)
	if _, _, err := l.FinishRewind(ctx, state); err != nil && ctx.Err() == nil {
		w.hub.log.Warn("finish a rewind; it is tried again", "service", l.Service().String(), "err", err)
	}
}

// notes takes what a look has found to be missing, and reports whether it is to be
// created: when a second look, some time after the first, finds no fewer. Fewer than
// before means that a registration or a rewind is creating them.
func (w *workers) notes(service subjects.Name, missing int, now time.Time, again time.Duration) (create bool) {
	known, before := w.since[service]
	if !before || missing < known.missing {
		w.since[service] = lack{since: now, missing: missing}
		return false
	}
	return now.Sub(known.since) >= again
}

// lacks creates missing consumers, at the second look.
func (w *workers) lacks(ctx context.Context, l *lane.Lane, missing []string, again time.Duration) {
	h, service := w.hub, l.Service()
	h.lacking.set(consumersOf(service), fmt.Sprintf("lane %s: %s", service, missingText(missing)))
	if !w.notes(service, len(missing), time.Now(), again) {
		return
	}
	state, err := h.freshState(ctx, service)
	if err == nil && state.Dropped {
		return
	}
	if err == nil {
		_, err = h.ensureConsumers(ctx, service, state)
	}
	if err != nil {
		h.log.Warn("create missing consumers; it is tried again", "service", service.String(), "consumers", missing, "err", err)
		h.lacking.set(consumersOf(service), fmt.Sprintf("lane %s: %s; creating them: %v", service, missingText(missing), err))
		return
	}
	h.log.Error("consumers were missing and are created again: somebody deleted them, or a rewind was cut short; what is not known to be acknowledged is delivered again",
		"service", service.String(), "consumers", missing)
	delete(w.since, service)
	h.lacking.clear(consumersOf(service))
}

func missingText(missing []string) string {
	if len(missing) == 1 {
		return fmt.Sprintf("consumer %s is missing: its copies wait until the hub has created it again", missing[0])
	}
	return fmt.Sprintf("consumers %s are missing: their copies wait until the hub has created them again", strings.Join(missing, ", "))
}

// describeMissing tells of consumers that a lane lacks. What a missing consumer
// is not known to have acknowledged is its backlog.
func (h *Hub) describeMissing(ctx context.Context, status *laneReport, service subjects.Name, stream jetstream.Stream, s lane.State) {
	if len(status.Workers) == len(lane.Consumers(s.Queue)) {
		return
	}
	missing, err := lane.MissingConsumers(ctx, stream, s)
	if err != nil || len(missing) == 0 {
		return // one whose leader did not answer is not missing
	}
	for _, name := range missing {
		n, err := lane.Unsettled(ctx, stream, service, s, name, h.settled(service))
		if err != nil {
			h.log.Debug("count the copies for a missing consumer", "service", service.String(), "consumer", name, "err", err)
		}
		status.Workers = append(status.Workers, contract.WorkerStatus{Consumer: name, Pending: n, Missing: true})
		status.Backlog += n
	}
	slices.SortFunc(status.Workers, func(a, b contract.WorkerStatus) int { return strings.Compare(a.Consumer, b.Consumer) })
	switch status.State {
	case contract.LaneDetached, contract.LaneParked, contract.LaneStalled:
	default:
		status.State, status.Reason, status.trouble = contract.LaneStalled, missingText(missing), contract.TroubleOther
	}
}
