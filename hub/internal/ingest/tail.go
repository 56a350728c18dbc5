package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/retry"
)

const (
	// The tail reads at the pace of its furthest reader, this many events and
	// half of its window ahead, so that lanes that restart together far behind read ingest once.
	tailAhead = 20 * blockEvents
	// When no reader has moved for this long, the tail continues without waiting; a
	// lane that is not within its window then reads by itself.
	tailPatience = time.Second
	// retryDelay paces attempts while NATS is away.
	retryDelay = 200 * time.Millisecond
	// tailSettle is how long reading must succeed before trouble counts as over.
	tailSettle = 2 * time.Second
)

// Tail reads ingest once for all lanes of a hub and keeps the newest part in
// memory. A lane that falls behind the window reads by itself (CatchUp).
type Tail struct {
	g       *Ingest
	w       *window
	trouble *episode.Log

	mu        sync.Mutex // guards followers
	followers map[Follower]struct{}

	// newest is the last event while it is not yet announced to the followers, and
	// untold counts the unannounced events.
	newest *event.Event
	untold int
}

// A Follower is called when there are new events at the end of the tail.
type Follower interface {
	// Follow is called on the tail's goroutine, so it must not block. e is the newest
	// event; nil when the tail began again. Earlier events may not have been
	// announced. A follower that stands right before e may take it at once, and then
	// returns true; any other follower reads its events with After.
	Follow(e *event.Event) (took bool)
}

// tellEvery is how many events may come at once before one is announced to the
// followers. Of fewer events, the last is announced.
const tellEvery = 64

// NewTail makes a tail that starts after a mark. It does not read before Run.
func (g *Ingest) NewTail(at Mark) *Tail {
	t := &Tail{g: g, w: newWindow(g.cfg.WindowBytes), trouble: episode.NewLog(g.cfg.Logger, "read ingest", tailSettle), followers: make(map[Follower]struct{})}
	t.w.reset(at)
	g.mu.Lock()
	defer g.mu.Unlock()
	t.w.erase(g.ledger.Load())
	g.windows = append(g.windows, t.w)
	return t
}

// Run reads until ctx ends. After trouble with NATS the tail resumes. Resuming in
// another epoch begins a new generation, in which every lane checks its own mark.
func (t *Tail) Run(ctx context.Context) error {
	for {
		_, _, at := t.w.state()
		err := t.read(ctx, at)
		if ctx.Err() != nil {
			return nil
		}
		t.trouble.Met(err)
		if err := retry.Sleep(ctx, retryDelay); err != nil {
			return nil
		}
	}
}

// read resumes at a mark and reads until an error.
func (t *Tail) read(ctx context.Context, at Mark) error {
	from, err := t.g.Resume(ctx, at)
	if errors.Is(err, ErrTrimmed) {
		// The tail itself does not need the events that are gone. A lane that does
		// finds out by its own mark.
		from, err = t.firstHeld(ctx)
	}
	if err != nil {
		return err
	}
	if from != at {
		t.w.reset(from)
		t.newest = nil
		t.tell()
	}
	r, err := t.g.newReader(ctx, from, t.g.cfg.TailPullBytes)
	if err != nil {
		return err
	}
	defer r.close()
	r.idle = func() {
		t.tellRest()
		t.trouble.Succeeded()
	}
	defer t.tellRest()
	for {
		e, err := r.read(ctx)
		if err != nil {
			return t.pass(ctx, err)
		}
		t.newest = t.w.add(e)
		if t.untold++; t.untold >= tellEvery {
			t.trouble.Succeeded()
			t.tell()
		}
		if err := t.pace(ctx); err != nil {
			return err
		}
	}
}

// pass has the tail continue behind events that the server has lost: lanes that need them
// find out by their own readers, and the other lanes need what follows.
func (t *Tail) pass(ctx context.Context, err error) error {
	met, ok := errors.AsType[*GapError](err)
	if !ok {
		return err
	}
	gap, is, unknown := t.g.FindGap(ctx, met.After)
	if unknown != nil || !is {
		return err
	}
	t.g.cfg.Logger.Error("the server has lost events of ingest", "first", gap.After.Seq+1, "last", gap.Next.Seq, "leader", gap.Leader)
	t.tellRest()
	t.w.reset(gap.Next)
	t.newest = nil
	t.tell()
	return err
}

// tell announces the newest event to the followers.
func (t *Tail) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := false
	for f := range t.followers {
		if f.Follow(t.newest) {
			took = true
		}
	}
	if took && t.newest != nil {
		t.w.followed(t.newest)
	}
	t.newest, t.untold = nil, 0
}

// tellRest announces the events that are not yet announced.
func (t *Tail) tellRest() {
	if t.untold > 0 {
		t.tell()
	}
}

// Follow calls f for new events, from now until stop is called.
func (t *Tail) Follow(f Follower) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.followers[f] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.followers, f)
	}
}

func (t *Tail) firstHeld(ctx context.Context) (Mark, error) {
	b, err := t.g.Bounds(ctx)
	if err != nil {
		return Mark{}, err
	}
	return t.g.MarkBefore(ctx, b.First)
}

// pace waits while the tail is far ahead of every reader, within its patience.
func (t *Tail) pace(ctx context.Context) error {
	if !t.w.ahead() {
		return nil
	}
	t.tellRest()
	timer := time.NewTimer(tailPatience)
	defer timer.Stop()
	for t.w.ahead() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.w.progress:
		case <-timer.C:
			t.w.skip()
			return nil
		}
	}
	return nil
}

// Join returns the generation to read in. A position is valid within one generation;
// after a change, call Resume.
func (t *Tail) Join() uint64 {
	generation, _, _ := t.w.state()
	return generation
}

// After returns the events that follow a position, up to a block; none at the end,
// where the tail calls followers for new events. ok is false when the position is
// outside the window or from another generation.
func (t *Tail) After(generation uint64, pos event.Position) (b Block, ok bool) {
	return t.w.after(generation, pos)
}

// Current reports whether a generation is the present one.
func (t *Tail) Current(generation uint64) bool {
	now, _, _ := t.w.state()
	return now == generation
}

// End is the last event read in.
func (t *Tail) End() Mark {
	_, _, end := t.w.state()
	return end
}
