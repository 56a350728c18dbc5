package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/replhub/replhub/event"
)

const (
	// The tail reads at the pace of its furthest reader, this many events
	// ahead, so that lanes that restart together far behind read ingest once.
	tailAhead = 20 * blockEvents
	// When no reader has moved for this long, the tail goes on without them;
	// whoever is not within its window reads by itself meanwhile.
	tailPatience = time.Second
	// retryDelay paces attempts while NATS is away.
	retryDelay = 200 * time.Millisecond
)

// Tail reads ingest once for all lanes of a hub and keeps the newest part in
// memory. A lane that falls behind the window reads by itself (CatchUp).
type Tail struct {
	g *Ingest
	w *window
}

// NewTail makes a tail that starts after a mark. It reads nothing before Run.
func (g *Ingest) NewTail(at Mark) *Tail {
	t := &Tail{g: g, w: newWindow(g.cfg.WindowBytes)}
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
		t.g.cfg.Logger.Warn("reading ingest stopped, resuming", "after", at.String(), "err", err)
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
	}
	r, err := t.g.newReader(ctx, from)
	if err != nil {
		return err
	}
	defer r.close()
	for {
		e, err := r.read(ctx)
		if err != nil {
			return err
		}
		t.w.add(e)
		if err := t.pace(ctx); err != nil {
			return err
		}
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
	if t.w.ahead() < tailAhead {
		return nil
	}
	timer := time.NewTimer(tailPatience)
	defer timer.Stop()
	for t.w.ahead() >= tailAhead {
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

// After returns the events that follow a position, up to a block; or, at the
// end, a channel that is closed when there are more. ok is false when the
// position is outside of the window or of another generation.
func (t *Tail) After(generation uint64, pos event.Position) (b Block, wait <-chan struct{}, ok bool) {
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
