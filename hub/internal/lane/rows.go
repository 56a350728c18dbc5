package lane

import (
	"context"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/budget"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
)

const (
	// Delays after an owner that did not answer.
	minOwnerBackoff = 250 * time.Millisecond
	maxOwnerBackoff = 5 * time.Second
)

// chunk is what an owner answered: the rows that follow a place in a snapshot;
// none at its end.
type chunk struct {
	rows   []*event.Event
	origin string
}

// size estimates how many bytes the rows take in memory.
func (c *chunk) size() int64 { return int64(ingest.Block{Events: c.rows}.Size()) }

// rows are a lane's fetches of snapshots' rows: at most one chunk of each is on
// its way or in memory. The zero rows works; it belongs to the lane's goroutine.
type rows struct {
	fetches map[string]*fetch // by the id of the interest
	wg      sync.WaitGroup
	// taken is when a chunk was last taken.
	taken time.Time
}

// fetch gets one chunk, however often it has to ask for it.
type fetch struct {
	from   Snapshot
	cancel context.CancelFunc
	// memory is where the chunk's share comes from, most what is asked for before
	// it is known how large the chunk is.
	memory *budget.Budget
	most   int64

	mu      sync.Mutex // guards the rest
	share   *budget.Share
	chunk   *chunk
	dropped bool
	trouble string
}

// follows reports whether the fetch is of what comes next in a snapshot.
func (f *fetch) follows(s *Snapshot) bool {
	return f.from.ID == s.ID && f.from.Row == s.Row && f.from.After == s.After
}

// get returns the chunk, nil while it is on its way.
func (f *fetch) get() *chunk {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.chunk
}

func (f *fetch) waits() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trouble
}

// start begins a fetch. ask is tried until it succeeds; nudge tells the lane
// that there is a chunk, or new trouble. A chunk is bounded in bytes.
func (r *rows) start(ctx context.Context, id string, from Snapshot, memory *budget.Budget, most int64, ask func(context.Context) (*chunk, error), nudge func()) {
	if r.fetches == nil {
		r.fetches = make(map[string]*fetch)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &fetch{from: from, cancel: cancel, memory: memory, most: most}
	r.fetches[id] = f
	r.wg.Go(func() {
		defer cancel()
		f.run(ctx, ask, nudge)
	})
}

func (f *fetch) run(ctx context.Context, ask func(context.Context) (*chunk, error), nudge func()) {
	for wait := minOwnerBackoff; ; wait = min(2*wait, maxOwnerBackoff) {
		share, err := f.memory.Wait(ctx, f.most)
		if err != nil {
			return
		}
		c, err := ask(ctx)
		if err == nil {
			f.fetched(c, share)
			nudge()
			return
		}
		share.End()
		if ctx.Err() != nil {
			return
		}
		if f.met(err.Error()) {
			nudge()
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// fetched hands the chunk over, or gives it up when nobody wants it any more. Its
// share goes with it until then.
func (f *fetch) fetched(c *chunk, share *budget.Share) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped {
		share.End()
		return
	}
	share.Shrink(c.size())
	f.chunk, f.share, f.trouble = c, share, ""
}

// met notes trouble and reports whether it is news.
func (f *fetch) met(trouble string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	news := trouble != f.trouble
	f.trouble = trouble
	return news
}

// giveUp ends a fetch and lets go of its chunk.
func (f *fetch) giveUp() {
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.share.End()
	f.chunk, f.share, f.dropped = nil, nil, true
}

// ready reports whether there is a chunk for a fill.
func (r *rows) ready(fill Fill) bool {
	f := r.fetches[fill.IDs[0]]
	return f != nil && f.get() != nil && f.follows(fill.Snapshot)
}

// take returns the chunk that follows in a fill, nil while there is none; the
// caller gives the fetch up when it has done with the rows.
func (r *rows) take(fill Fill) (*chunk, *fetch) {
	f := r.fetches[fill.IDs[0]]
	if f == nil || !f.follows(fill.Snapshot) {
		return nil, nil
	}
	c := f.get()
	if c == nil {
		return nil, f
	}
	delete(r.fetches, fill.IDs[0])
	r.taken = time.Now()
	return c, f
}

// keep gives up what is not wanted under a state.
func (r *rows) keep(s State) {
	wanted := make(map[string]bool)
	for _, fill := range s.Fills {
		if fill.Snapshot == nil {
			continue
		}
		if f := r.fetches[fill.IDs[0]]; f != nil && f.follows(fill.Snapshot) {
			wanted[fill.IDs[0]] = true
		}
	}
	for id, f := range r.fetches {
		if !wanted[id] {
			f.giveUp()
			delete(r.fetches, id)
		}
	}
}

// drop gives everything up.
func (r *rows) drop() {
	for _, f := range r.fetches {
		f.giveUp()
	}
	r.fetches = nil
}

// wait waits for the goroutines of what was given up.
func (r *rows) wait() { r.wg.Wait() }

// trouble is, by the ids of interests, why there are no rows; nil when there is
// none.
func (r *rows) trouble() map[string]string {
	var all map[string]string
	for id, f := range r.fetches {
		if why := f.waits(); why != "" {
			if all == nil {
				all = make(map[string]string)
			}
			all[id] = why
		}
	}
	return all
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
