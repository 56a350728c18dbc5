package ingest

import (
	"sort"
	"sync"

	"github.com/replhub/replhub/event"
	"github.com/replhub/replhub/subjects"
)

// blockEvents is how many events a block holds: as many as an append batch.
const blockEvents = 1000

// eventOverhead estimates what an event takes beside its payload.
const eventOverhead = 512

// Block is a run of consecutive events, shared by all who read it.
type Block struct {
	// Events are contiguous; read-only.
	Events []*event.Event
	// Before is the mark that the first event follows.
	Before Mark
	// entities that occur; nil while the block still grows.
	entities map[subjects.Name]struct{}
}

// Has reports whether an event of any of the entities may be in the block.
func (b Block) Has(wants func(subjects.Name) bool) bool {
	if b.entities == nil {
		return true
	}
	for name := range b.entities {
		if wants(name) {
			return true
		}
	}
	return false
}

// window is the part of ingest that is in memory: blocks in order, bounded in
// bytes. Events of a block are never changed once visible, so readers take
// slices of them without copying.
type window struct {
	mu sync.Mutex
	// generation counts restarts at another mark; a reader's position means
	// nothing in another generation.
	generation uint64
	blocks     []*fillingBlock
	bytes      int
	limit      int
	start, end Mark
	// read is the furthest that any reader has taken; see ahead.
	read     uint64
	progress chan struct{}
}

type fillingBlock struct {
	events   []*event.Event
	entities map[subjects.Name]struct{}
	before   Mark
	bytes    int
}

func newWindow(limit int) *window {
	return &window{limit: limit, progress: make(chan struct{}, 1)}
}

// reset empties the window and has it start after a mark.
func (w *window) reset(at Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.generation++
	w.blocks = nil
	w.bytes = 0
	w.start, w.end = at, at
	w.read = at.Seq
}

// add appends an event and drops the oldest blocks over the limit.
func (w *window) add(e *event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var last *fillingBlock
	if n := len(w.blocks); n > 0 {
		last = w.blocks[n-1]
	}
	if last == nil || len(last.events) == cap(last.events) {
		last = &fillingBlock{
			events:   make([]*event.Event, 0, blockEvents),
			entities: make(map[subjects.Name]struct{}, 1),
			before:   w.end,
		}
		w.blocks = append(w.blocks, last)
	}
	size := len(e.Data) + eventOverhead
	last.events = append(last.events, e)
	last.entities[e.Subject.Entity()] = struct{}{}
	last.bytes += size
	w.bytes += size
	w.end = MarkOf(e)
	for w.bytes > w.limit && len(w.blocks) > 1 {
		first := w.blocks[0]
		w.blocks[0] = nil // the slice's array outlives the block
		w.blocks = w.blocks[1:]
		w.bytes -= first.bytes
		w.start = w.blocks[0].before
	}
}

// after returns the events that follow a position, as far as one block holds
// them; none at the end. ok is false when the position is outside of the window.
func (w *window) after(generation uint64, pos event.Position) (b Block, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if generation != w.generation || pos.Seq < w.start.Seq || pos.Seq > w.end.Seq {
		return Block{}, false
	}
	if pos.Seq == w.end.Seq {
		return Block{}, pos.Epoch <= w.end.Epoch
	}
	i := sort.Search(len(w.blocks), func(i int) bool {
		f := w.blocks[i]
		return f.events[len(f.events)-1].Pos.Seq > pos.Seq
	})
	found := w.blocks[i]
	skip := pos.Seq - found.before.Seq
	// A lane may know of a new epoch before the tail does: what the window holds
	// under these sequences are then other events, copied already.
	if pos.Epoch > found.events[skip].Pos.Epoch {
		return Block{}, false
	}
	b = Block{Events: found.events[skip:len(found.events):len(found.events)], Before: found.before}
	if skip > 0 {
		b.Before = MarkOf(found.events[skip-1])
	}
	if len(found.events) == cap(found.events) {
		b.entities = found.entities
	}
	w.took(b.Events[len(b.Events)-1])
	return b, true
}

// took notes how far a reader has come. The caller holds the lock.
func (w *window) took(e *event.Event) {
	if e.Pos.Seq <= w.read {
		return
	}
	w.read = e.Pos.Seq
	select {
	case w.progress <- struct{}{}:
	default:
	}
}

// followed notes an event that followers have taken.
func (w *window) followed(e *event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took(e)
}

// ahead is how many events were read in beyond the furthest reader.
func (w *window) ahead() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end.Seq - min(w.read, w.end.Seq)
}

// skip declares everything read in as taken, so that the tail goes on.
func (w *window) skip() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = w.end.Seq
}

// state returns what a reader needs to join.
func (w *window) state() (generation uint64, start, end Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.generation, w.start, w.end
}
