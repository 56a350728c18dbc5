package hub

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// lanes are the lanes that this hub knows, each with its loop.
type lanes struct {
	env *lane.Env

	mu      sync.Mutex // guards the rest
	byName  map[subjects.Name]*running
	gone    map[subjects.Name]time.Time // when a stream was found gone, see hubstream.DeletionTime
	start   func(*running)              // nil until run
	lost    func()                      // a stream was found gone
	stopped bool
}

type running struct {
	lane *lane.Lane
	done chan struct{}
}

func newLanes(env *lane.Env, lost func()) *lanes {
	return &lanes{env: env, lost: lost, byName: make(map[subjects.Name]*running), gone: make(map[subjects.Name]time.Time)}
}

// add returns the lane of a service, taken up if it was not known.
func (s *lanes) add(service subjects.Name) *lane.Lane {
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

// get returns a known lane, or nil.
func (s *lanes) get(service subjects.Name) *lane.Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byName[service]; r != nil {
		return r.lane
	}
	return nil
}

// all returns the lanes in the order of their names.
func (s *lanes) all() []*lane.Lane {
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

// run runs the loops of all lanes, present and future, until ctx ends.
func (s *lanes) run(ctx context.Context) error {
	var wg sync.WaitGroup
	s.mu.Lock()
	s.start = func(r *running) {
		wg.Go(func() {
			defer close(r.done)
			err := r.lane.Run(ctx)
			if errors.Is(err, lane.ErrNoLane) {
				s.forget(r)
				s.lost()
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

// ended waits for the end of a lane's loop, and forgets the lane.
func (s *lanes) ended(ctx context.Context, l *lane.Lane) error {
	s.mu.Lock()
	r, stopped := s.byName[l.Service()], s.stopped
	s.mu.Unlock()
	if stopped {
		return errStopping
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

// errStopping: the hub stops; another one, or it itself soon, does the request.
var errStopping = contract.Errorf(contract.CodeUnavailable, "the hub is stopping; send it again")

// forget drops a lane whose stream is gone.
func (s *lanes) forget(r *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName[r.lane.Service()] == r {
		delete(s.byName, r.lane.Service())
		maps.DeleteFunc(s.gone, func(_ subjects.Name, at time.Time) bool { return time.Since(at) > hubstream.DeletionTime })
		s.gone[r.lane.Service()] = time.Now()
	}
}

// deleted notes that a lane's deletion has come to its end.
func (s *lanes) deleted(service subjects.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.gone, service)
}

// mayCreate waits until no deletion of the service's former stream can be under
// way.
func (s *lanes) mayCreate(ctx context.Context, service subjects.Name) error {
	for {
		s.mu.Lock()
		at, gone := s.gone[service]
		s.mu.Unlock()
		if !gone || time.Since(at) > hubstream.DeletionTime {
			return nil
		}
		if err := sleep(ctx, dropLook); err != nil {
			return err
		}
	}
}

// nearTail is how far, in events, lanes may lie apart at a start for the tail
// to begin at the last of them.
const nearTail = 20_000

// startOfTail is where the tail begins: at the lowest of the positions near the
// furthest one, so that lanes which stand together read ingest once. Lanes far
// behind read by themselves.
func (h *Hub) startOfTail(ctx context.Context, services []subjects.Name) (ingest.Mark, error) {
	var mu sync.Mutex // guards marks and epoch
	var marks []ingest.Mark
	var epoch uint64
	h.eachLane(ctx, services, func(ctx context.Context, service subjects.Name) {
		tip, err := lane.ReadTip(ctx, h.js, service)
		if err != nil {
			return // the lane's own loop will say what is wrong
		}
		_, needs := tip.State.Lowest()
		var m ingest.Mark
		if needs {
			m, err = h.ingest.Resume(ctx, tip.State.Pos)
		}
		mu.Lock()
		defer mu.Unlock()
		epoch = max(epoch, tip.State.Epoch())
		if needs && err == nil {
			marks = append(marks, m)
		}
	})
	if err := h.ingest.KnowEpoch(ctx, epoch); err != nil {
		return ingest.Mark{}, err
	}
	if len(marks) == 0 {
		end, _, err := h.ingest.End(ctx)
		return end, err
	}
	compare := func(a, b ingest.Mark) int { return a.Compare(b.Position) }
	furthest := slices.MaxFunc(marks, compare)
	near := event.Position{Epoch: furthest.Epoch, Seq: furthest.Seq - min(furthest.Seq, nearTail)}
	marks = slices.DeleteFunc(marks, func(m ingest.Mark) bool { return m.Before(near) })
	return slices.MinFunc(marks, compare), nil
}
