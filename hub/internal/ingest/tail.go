package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/event"
)

const (
	// The tail reads at the pace of its furthest reader, this many events and
	// half of its window ahead, so that lanes that restart together far behind read ingest once.
	tailAhead = 20 * blockEvents
	// When no reader has moved for this long, the tail goes on without them;
	// whoever is not within its window reads by itself meanwhile.
	tailPatience = time.Second
	// retryDelay paces attempts while NATS is away.
	retryDelay = 200 * time.Millisecond
	// tailSettle is for how long reading must go well for trouble to be over.
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

	// newest is the last event, as long as the followers were not told of it,
	// and untold how many they were not told of.
	newest *event.Event
	untold int
}

// A Follower is told that there is more at the end of the tail.
type Follower interface {
	// Follow is called on the tail's goroutine, so it must not wait. e is the
	// newest event; nil when the tail began anew. Others may have come before it
	// untold: whoever stands right before e may take it at once, and reports
	// that; everybody else gets what it needs with After.
	Follow(e *event.Event) (took bool)
}

// tellEvery is how many events may come at once before the followers are told
// of one; it is told of the last of fewer.
const tellEvery = 64

// NewTail makes a tail that starts after a mark. It reads nothing before Run.
func (g *Ingest) NewTail(at Mark) *Tail {
	t := &Tail{g: g, w: newWindow(g.cfg.WindowBytes), trouble: episode.NewLog(g.cfg.Logger, "read ingest", tailSettle), followers: make(map[Follower]struct{})}
	t.w.reset(at)
	return t
}

// Run reads until ctx ends. Trouble with NATS is not an end: the tail resumes,
// and a resumption in another epoch begins a new generation, in which every
// lane checks its own mark.
func (t *Tail) Run(ctx context.Context) error {
	for {
		_, _, at := t.w.state()
		err := t.read(ctx, at)
		if ctx.Err() != nil {
			return nil
		}
		t.trouble.Met(err)
		if err := pause(ctx, retryDelay); err != nil {
			return nil
		}
	}
}

// read resumes at a mark and reads until an error.
func (t *Tail) read(ctx context.Context, at Mark) error {
	from, err := t.g.Resume(ctx, at)
	if errors.Is(err, ErrTrimmed) {
		// Nobody needs what is gone from here: lanes that do find out by
		// their own marks.
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
			return err
		}
		t.w.add(e)
		t.newest = e
		if t.untold++; t.untold >= tellEvery {
			t.trouble.Succeeded()
			t.tell()
		}
		if err := t.pace(ctx); err != nil {
			return err
		}
	}
}

// tell has the followers know of the newest event.
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

// tellRest tells of what the followers were not told of yet.
func (t *Tail) tellRest() {
	if t.untold > 0 {
		t.tell()
	}
}

// Follow has f told of what comes, from now until stop is called.
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

// Join returns the generation to read in. A position is good within one
// generation: after a change, Resume it.
func (t *Tail) Join() uint64 {
	generation, _, _ := t.w.state()
	return generation
}

// After returns the events that follow a position, up to a block; none at the
// end, where followers are told of more. ok is false when the position is
// outside of the window or of another generation.
func (t *Tail) After(generation uint64, pos event.Position) (b Block, ok bool) {
	return t.w.after(generation, pos)
}

// Current reports whether the generation still stands.
func (t *Tail) Current(generation uint64) bool {
	now, _, _ := t.w.state()
	return now == generation
}

// End is the last event read in.
func (t *Tail) End() Mark {
	_, _, end := t.w.state()
	return end
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
