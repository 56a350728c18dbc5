// Package lanes keeps the lanes that this hub knows, each with its loop, and finds
// the lanes that other hubs have created. A known lane may have been deleted: only the
// server knows whether its stream still exists.
package lanes

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// lookEvery is the time between two looks whether a deletion can be under way.
const lookEvery = 50 * time.Millisecond

// Config is what a Set needs. Every field is required.
type Config struct {
	JS     jetstream.JetStream
	Conn   *nats.Conn
	Hubs   *ownership.Hubs
	Alarms *alarm.Set
	// Fast enables fast ingest on lanes that were created before the server had it.
	Fast   bool
	Logger *slog.Logger
}

// Set holds the lanes that this hub knows. It may be used concurrently.
type Set struct {
	cfg  Config
	env  *lane.Env     // see Use
	lost chan struct{} // holds a token when a stream was found gone
	held chan struct{} // holds a token when a lane is held for an older policy

	mu      sync.Mutex // guards the rest
	byName  map[subjects.Name]*running
	gone    map[subjects.Name]time.Time // when a stream was found gone, see hubstream.DeletionTime
	start   func(*running)              // nil until Run
	stopped bool
}

type running struct {
	lane *lane.Lane
	done chan struct{}
}

// New makes an empty Set. List works at once; Use comes before anything else.
func New(cfg Config) *Set {
	return &Set{cfg: cfg, lost: make(chan struct{}, 1), held: make(chan struct{}, 1), byName: make(map[subjects.Name]*running), gone: make(map[subjects.Name]time.Time)}
}

// Use gives the lanes their environment.
func (s *Set) Use(env *lane.Env) { s.env = env }

// Add returns the lane of a service, taken up if it was not known.
func (s *Set) Add(service subjects.Name) *lane.Lane {
	l := s.add(service)
	l.Own(s.cfg.Hubs.Owns(service))
	return l
}

func (s *Set) add(service subjects.Name) *lane.Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byName[service]; r != nil {
		return r.lane
	}
	r := &running{lane: lane.New(s.env, service), done: make(chan struct{})}
	s.byName[service] = r
	switch {
	case s.stopped:
		r.lane.Stop()
	case s.start != nil:
		s.start(r)
	}
	return r.lane
}

// Get returns a known lane, or nil.
func (s *Set) Get(service subjects.Name) *lane.Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byName[service]; r != nil {
		return r.lane
	}
	return nil
}

// All returns the lanes in the order of their names.
func (s *Set) All() []*lane.Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*lane.Lane, 0, len(s.byName))
	for _, r := range s.byName {
		list = append(list, r.lane)
	}
	slices.SortFunc(list, func(a, b *lane.Lane) int {
		return strings.Compare(a.Service().String(), b.Service().String())
	})
	return list
}

// Run runs the loops of all lanes, present and future, until ctx ends.
func (s *Set) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	s.mu.Lock()
	s.start = func(r *running) {
		wg.Go(func() {
			defer close(r.done)
			err := r.lane.Run(ctx)
			if errors.Is(err, lane.ErrNoLane) {
				s.forget(r)
				s.tellLost()
			}
		})
	}
	for _, r := range s.byName {
		s.start(r)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	wg.Wait()
	return nil
}

func (s *Set) tellLost() {
	select {
	case s.lost <- struct{}{}:
	default:
	}
}

// Lost has a token when the stream of a lane was found to be gone.
func (s *Set) Lost() <-chan struct{} { return s.lost }

// TellHeld tells that a lane is held for an older policy.
func (s *Set) TellHeld() {
	select {
	case s.held <- struct{}{}:
	default:
	}
}

// Held has a token when a lane is held for an older policy.
func (s *Set) Held() <-chan struct{} { return s.held }

// Ended waits for the end of a lane's loop, and forgets the lane.
func (s *Set) Ended(ctx context.Context, l *lane.Lane) error {
	s.mu.Lock()
	r, stopped := s.byName[l.Service()], s.stopped
	s.mu.Unlock()
	if stopped {
		return ErrStopping
	}
	if r == nil || r.lane != l {
		return nil
	}
	l.Recheck()
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.forget(r)
	return nil
}

// ErrStopping means that the hub stops; another hub, or this one after its restart,
// can serve the request.
var ErrStopping = contract.Errorf(contract.CodeUnavailable, "the hub is stopping; send the request again")

// forget drops a lane whose stream is gone.
func (s *Set) forget(r *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName[r.lane.Service()] == r {
		delete(s.byName, r.lane.Service())
		maps.DeleteFunc(s.gone, func(_ subjects.Name, at time.Time) bool { return time.Since(at) > hubstream.DeletionTime })
		s.gone[r.lane.Service()] = time.Now()
	}
}

// Deleted notes that a lane's deletion is complete.
func (s *Set) Deleted(service subjects.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.gone, service)
}

// MayCreate waits until no deletion of the service's former stream can be under
// way.
func (s *Set) MayCreate(ctx context.Context, service subjects.Name) error {
	for {
		s.mu.Lock()
		at, gone := s.gone[service]
		s.mu.Unlock()
		if !gone || time.Since(at) > hubstream.DeletionTime {
			return nil
		}
		if err := retry.Sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// Count is the number of lanes.
func (s *Set) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byName)
}

// OwnedBy returns the services of the lanes that a hub owns.
func (s *Set) OwnedBy(hub string) []subjects.Name {
	var services []subjects.Name
	for _, l := range s.All() {
		if s.cfg.Hubs.Owner(l.Service()) == hub {
			services = append(services, l.Service())
		}
	}
	return services
}
