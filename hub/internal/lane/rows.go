package lane

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/budget"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/retry"
)

const (
	// Delays after an owner did not answer.
	minOwnerBackoff = 250 * time.Millisecond
	maxOwnerBackoff = 5 * time.Second
)

// chunk is an owner's answer: the rows that follow a place in a snapshot; no rows at
// its end.
type chunk struct {
	rows   []*event.Event
	origin string
	// all is about how many rows the owner has; 0 where it does not say.
	all uint64
}

// size estimates how many bytes the rows take in memory.
func (c *chunk) size() int64 { return int64(ingest.Block{Events: c.rows}.Size()) }

// fetches get the rows of snapshots for the core, each under its number. Except for
// news, its methods must be called on the lane's goroutine. The zero fetches works.
type fetches struct {
	of map[int]*fetch
	wg sync.WaitGroup

	mu   sync.Mutex // guards came
	came []fetched
}

// fetched is news of a fetch: a chunk, or why there is none yet.
type fetched struct {
	number  int
	chunk   *chunk
	trouble string
}

// fetch gets one chunk, and asks for it as often as needed.
type fetch struct {
	number int
	cancel context.CancelFunc
	// memory is the budget of the chunk's share; most is the share taken before the
	// chunk's size is known.
	memory *budget.Budget
	most   int64

	mu      sync.Mutex // guards the rest
	share   *budget.Share
	dropped bool
}

// start begins a fetch. ask is tried until it succeeds; nudge tells the lane
// that there is a chunk, or new trouble. A chunk is bounded in bytes.
func (r *fetches) start(ctx context.Context, number int, memory *budget.Budget, most int64, ask func(context.Context) (*chunk, error), nudge func()) {
	if r.of == nil {
		r.of = make(map[int]*fetch)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &fetch{number: number, cancel: cancel, memory: memory, most: most}
	r.of[number] = f
	r.wg.Go(func() {
		defer cancel()
		f.run(ctx, ask, func(n fetched) {
			r.tell(n)
			nudge()
		})
	})
}

func (f *fetch) run(ctx context.Context, ask func(context.Context) (*chunk, error), tell func(fetched)) {
	told := ""
	for wait := minOwnerBackoff; ; wait = min(2*wait, maxOwnerBackoff) {
		share, err := f.memory.Wait(ctx, f.most)
		if err != nil {
			return
		}
		c, err := ask(ctx)
		if err == nil {
			if f.keeps(share, c.size()) {
				tell(fetched{number: f.number, chunk: c})
			}
			return
		}
		share.End()
		if ctx.Err() != nil {
			return
		}
		if err.Error() != told {
			told = err.Error()
			tell(fetched{number: f.number, trouble: told})
		}
		if retry.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// keeps holds a chunk's share until the fetch is dropped; false if it already was.
func (f *fetch) keeps(share *budget.Share, bytes int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped {
		share.End()
		return false
	}
	share.Shrink(bytes)
	f.share = share
	return true
}

// drop ends a fetch and releases its chunk.
func (r *fetches) drop(number int) {
	f := r.of[number]
	if f == nil {
		return
	}
	delete(r.of, number)
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.share.End()
	f.share, f.dropped = nil, true
}

func (r *fetches) dropAll() {
	for number := range r.of {
		r.drop(number)
	}
}

func (r *fetches) tell(n fetched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.came = append(r.came, n)
}

// news returns the news since the last call.
func (r *fetches) news() []fetched {
	r.mu.Lock()
	defer r.mu.Unlock()
	came := r.came
	r.came = nil
	return came
}

// wait waits for the goroutines of dropped fetches.
func (r *fetches) wait() { r.wg.Wait() }

// fetch begins to fetch the rows that follow a place in an interest's snapshot.
func (d *driver) fetch(ctx context.Context, f core.FetchRows) {
	owner := owner{nc: d.env.JS.Conn(), ingest: d.env.Ingest, service: d.service, interest: f.Interest}
	d.fetches.start(ctx, f.Number, d.env.memory.chunks, d.env.memory.chunk,
		func(ctx context.Context) (*chunk, error) { return owner.ask(ctx, f.From) }, d.nudge)
}

// differentOwner is the error for rows of two services in one snapshot.
func differentOwner(entity, before, now string) error {
	return fmt.Errorf("%s serves %s now, and the rows so far are of %s: one service must own the entity", orUnnamed(now), entity, orUnnamed(before))
}

func orUnnamed(origin string) string {
	if origin == "" {
		return "a service without a name"
	}
	return origin
}
