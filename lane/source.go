package lane

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/replhub/replhub/ingest"
)

const (
	// maxCatchUps bounds the lanes that read ingest by themselves at a time,
	// and so the memory that they take.
	maxCatchUps = 8
	// catchUpTurn is how long one of them may go on while others wait.
	catchUpTurn = time.Second
	// catchUpWait is how long one read waits for the next event, so how long a
	// change of the lane may wait for the read.
	catchUpWait = 200 * time.Millisecond
)

// errGeneration: the tail began anew in another epoch; the lane's cursors have
// to be checked against ingest again.
var errGeneration = errors.New("ingest began a new epoch")

// turns shares the catch-up readers out among the lanes of a hub.
type turns struct {
	slots   *semaphore.Weighted
	waiting atomic.Int32
}

func newTurns() *turns { return &turns{slots: semaphore.NewWeighted(maxCatchUps)} }

// source yields a cursor's next events: from the tail where its window covers
// the cursor, else from ingest by a reader of its own.
type source struct {
	g     *ingest.Ingest
	tail  *ingest.Tail
	turns *turns
	// queued is set while the source waits for its turn to read ingest by itself.
	queued *atomic.Bool
	// generation of the tail in which the cursor was checked.
	generation uint64

	catchUp *ingest.CatchUp
	began   time.Time
}

// join has the source read in a generation in which its cursor was checked.
func (s *source) join(generation uint64) {
	if s.generation != generation {
		s.close()
		s.generation = generation
	}
}

// next returns what follows a mark: events; or none at the end, where the tail
// tells of more; or none elsewhere, when the caller should just ask again.
func (s *source) next(ctx context.Context, at ingest.Mark) (b ingest.Block, end bool, err error) {
	b, ok := s.tail.After(s.generation, at.Position)
	if ok {
		s.close()
		s.queued.Store(false)
		return b, len(b.Events) == 0, nil
	}
	if !s.tail.Current(s.generation) {
		return ingest.Block{}, false, errGeneration
	}
	if s.catchUp != nil && (s.catchUp.At() != at || s.turnOver()) {
		s.close()
	}
	if s.catchUp == nil {
		if err := s.open(ctx, at); err != nil || s.catchUp == nil {
			return ingest.Block{}, false, err
		}
	}
	b, err = s.catchUp.Next(ctx, catchUpWait)
	if err != nil {
		s.close()
		return ingest.Block{}, false, err
	}
	return b, false, nil
}

func (s *source) turnOver() bool {
	return s.turns.waiting.Load() > 0 && time.Since(s.began) > catchUpTurn
}

// open starts a reader, or leaves it nil when no turn came up in time.
func (s *source) open(ctx context.Context, at ingest.Mark) error {
	s.queued.Store(true)
	s.turns.waiting.Add(1)
	waiting, cancel := context.WithTimeout(ctx, catchUpWait)
	err := s.turns.slots.Acquire(waiting, 1)
	cancel()
	s.turns.waiting.Add(-1)
	if err != nil {
		return ctx.Err()
	}
	s.queued.Store(false)
	c, err := s.g.CatchUp(ctx, at)
	if err != nil {
		s.turns.slots.Release(1)
		return err
	}
	s.catchUp, s.began = c, time.Now()
	return nil
}

func (s *source) close() {
	if s.catchUp == nil {
		return
	}
	s.catchUp.Close()
	s.catchUp = nil
	s.turns.slots.Release(1)
}
