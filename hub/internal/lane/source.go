package lane

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub/hub/internal/budget"
	"github.com/replhub/replhub/hub/internal/ingest"
)

const (
	// catchUpSlice is how long a lane may read ingest by itself while others wait for
	// memory to do the same.
	catchUpSlice = time.Second
	// catchUpWait is how long one read waits for the next event, and so how long a
	// change of the lane may wait for the read.
	catchUpWait = 200 * time.Millisecond
)

// errNewEpoch means that the tail began again in another epoch. The lane's cursors
// must be checked against ingest again.
var errNewEpoch = errors.New("ingest began a new epoch")

// source yields a cursor's next events: from the tail where its window covers
// the cursor, else from ingest by a reader of its own.
type source struct {
	g      *ingest.Ingest
	tail   *ingest.Tail
	memory *memory
	// queued is set while the source waits for its turn to read ingest by itself.
	queued *atomic.Bool
	// generation of the tail in which the cursor was checked.
	generation uint64

	// share is the part of memory that catchUp needs, waited for or given. The place
	// in the queue for memory is kept from one call of next to the other.
	share   *budget.Share
	catchUp *ingest.CatchUp
	began   time.Time
	// kept is a block that catchUp read and that was put back.
	kept ingest.Block
}

// join makes the source read in a generation in which its cursor was checked.
func (s *source) join(generation uint64) {
	if s.generation != generation {
		s.close()
		s.generation = generation
	}
}

// next returns the events that follow the mark at, in an ingest that also holds the mark
// to. It returns none at the end, where the tail announces further events, and sometimes
// none elsewhere; the caller then asks again.
func (s *source) next(ctx context.Context, at, to ingest.Mark) (b ingest.Block, end bool, err error) {
	b, ok := s.tail.After(s.generation, at.Position)
	if ok {
		s.close()
		s.queued.Store(false)
		return b, len(b.Events) == 0, nil
	}
	if !s.tail.Current(s.generation) {
		return ingest.Block{}, false, errNewEpoch
	}
	if kept := s.kept; len(kept.Events) > 0 {
		s.kept = ingest.Block{}
		if kept.Before == at {
			return kept, false, nil
		}
	}
	if s.catchUp != nil && (s.catchUp.At() != at || s.sliceOver()) {
		s.close()
	}
	if s.catchUp == nil {
		if err := s.open(ctx, at, to); err != nil || s.catchUp == nil {
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

// putBack gives a block back, which the next call of next returns again.
func (s *source) putBack(b ingest.Block) {
	if s.catchUp != nil {
		s.kept = b
	}
}

func (s *source) sliceOver() bool {
	return time.Since(s.began) > catchUpSlice && s.memory.readers.Waiting() > 0
}

// open starts a reader, or leaves it nil when no turn came up in time.
func (s *source) open(ctx context.Context, at, to ingest.Mark) error {
	if s.share == nil {
		s.queued.Store(true)
		s.share = s.memory.readers.Ask(s.memory.reader)
	}
	timer := time.NewTimer(catchUpWait)
	defer timer.Stop()
	select {
	case <-s.share.Ready():
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	s.queued.Store(false)
	c, err := s.g.CatchUp(ctx, at, to, s.memory.portion)
	if err != nil {
		s.close()
		return err
	}
	s.catchUp, s.began = c, time.Now()
	return nil
}

// close ends the reader, and gives up its place in the queue for memory.
func (s *source) close() {
	s.kept = ingest.Block{}
	if s.catchUp != nil {
		s.catchUp.Close()
		s.catchUp = nil
	}
	s.share.End()
	s.share = nil
}
