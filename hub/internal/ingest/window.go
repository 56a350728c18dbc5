package ingest

import (
	"sort"
	"sync"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/subjects"
)

// blockEvents is how many events a block holds: as many as an append batch.
const blockEvents = 1000

const (
	// A block also ends by bytes: at a part of the window, so that dropping the
	// oldest block keeps most of the window, and within bounds that keep blocks
	// efficient.
	blockParts    = 32
	minBlockBytes = 16 << 10
	maxBlockBytes = 4 << 20
	// blockOverhead is the memory that a block takes beside its events.
	blockOverhead = blockEvents*8 + 512
)

// Block is a run of consecutive events, shared by all its readers.
type Block struct {
	// Events are contiguous; read-only.
	Events []*event.Event
	// Before is the mark that the first event follows.
	Before Mark
	// entities that occur in the block; nil while the block still grows.
	entities map[subjects.Name]struct{}
}

// Size estimates how many bytes the events take in memory.
func (b Block) Size() int {
	n := 0
	for _, e := range b.Events {
		n += e.Size()
	}
	return n
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
// slices of a block without copying.
type window struct {
	mu sync.Mutex
	// generation counts restarts at another mark; a reader's position means
	// nothing in another generation.
	generation uint64
	blocks     []*fillingBlock
	// bytes is the memory of the blocks; at most limit, unless there is only one
	// block. Each block has about blockBytes at most.
	bytes, limit, blockBytes int
	start, end               Mark
	// read is the furthest position that any reader has taken; see ahead. added
	// counts the bytes of all events ever added, readBytes the bytes up to read.
	read             uint64
	added, readBytes int
	progress         chan struct{}
	// ledger is the ledger by which events are erased; nil before the first.
	ledger *retention.Ledger
}

type fillingBlock struct {
	events   []*event.Event
	entities map[subjects.Name]struct{}
	before   Mark
	bytes    int
	// added is the window's count as of the last event.
	added int
	// closed says that no more events are added.
	closed bool
}

func newWindow(limit int) *window {
	return &window{
		limit: limit, blockBytes: min(max(limit/blockParts, minBlockBytes), maxBlockBytes),
		progress: make(chan struct{}, 1),
	}
}

// reset empties the window and makes it start after a mark.
func (w *window) reset(at Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.generation++
	w.blocks = nil
	w.bytes = 0
	w.start, w.end = at, at
	w.read, w.readBytes = at.Seq, w.added
}

// add appends an event and drops the oldest blocks beyond the limit. It returns the event
// that it added: an erased one is passed over.
func (w *window) add(e *event.Event) *event.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	e = w.kept(e)
	var last *fillingBlock
	if n := len(w.blocks); n > 0 {
		last = w.blocks[n-1]
	}
	size := e.Size()
	if last == nil || last.closed {
		last = &fillingBlock{
			events:   make([]*event.Event, 0, blockEvents),
			entities: make(map[subjects.Name]struct{}, 1),
			before:   w.end,
			bytes:    blockOverhead,
		}
		w.blocks = append(w.blocks, last)
		w.bytes += blockOverhead
	}
	last.events = append(last.events, e)
	last.entities[e.Subject.Entity()] = struct{}{}
	last.bytes += size
	last.closed = len(last.events) == blockEvents || last.bytes >= w.blockBytes
	w.bytes += size
	w.added += size
	last.added = w.added
	w.end = MarkOf(e)
	for w.bytes > w.limit && len(w.blocks) > 1 {
		first := w.blocks[0]
		w.blocks[0] = nil // the slice's array outlives the block
		w.blocks = w.blocks[1:]
		w.bytes -= first.bytes
		w.start = w.blocks[0].before
	}
	return e
}

// kept returns the event, or what stands for it if it was erased. The caller holds the
// lock.
func (w *window) kept(e *event.Event) *event.Event {
	if w.ledger == nil {
		return e
	}
	if m, erased := w.ledger.ErasedAt(e.Pos.Seq); erased && m.Position == e.Pos && m.Time.Equal(e.Time) {
		return passedOver(m)
	}
	return e
}

// erase removes the events that a ledger has as erased, now and from those that are added
// later. Blocks that readers hold keep them. The memory counts as before.
func (w *window) erase(l *retention.Ledger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ledger = l
	if len(l.Erased) == 0 {
		return
	}
	for _, b := range w.blocks {
		events := make([]*event.Event, len(b.events), max(cap(b.events), len(b.events)))
		for i, e := range b.events {
			events[i] = w.kept(e)
		}
		b.events = events
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
	// A lane may know of a new epoch before the tail does. The window then holds
	// other events under these sequences, which the lane has already copied.
	if pos.Epoch > found.events[skip].Pos.Epoch {
		return Block{}, false
	}
	b = Block{Events: found.events[skip:len(found.events):len(found.events)], Before: found.before}
	if skip > 0 {
		b.Before = MarkOf(found.events[skip-1])
	}
	if found.closed {
		b.entities = found.entities
	}
	w.took(b.Events[len(b.Events)-1], found.added)
	return b, true
}

// took notes a reader's progress; added is the window's count as of the event. The
// caller holds the lock.
func (w *window) took(e *event.Event, added int) {
	if e.Pos.Seq <= w.read {
		return
	}
	w.read, w.readBytes = e.Pos.Seq, added
	select {
	case w.progress <- struct{}{}:
	default:
	}
}

// followed notes that followers have taken an event, the last one added.
func (w *window) followed(e *event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took(e, w.added)
}

// ahead reports whether the window is so far beyond the furthest reader that more
// events would soon push out those that this reader needs next.
func (w *window) ahead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end.Seq >= w.read+tailAhead || w.added-w.readBytes > w.limit/2
}

// skip marks all events in the window as taken, so that the tail continues.
func (w *window) skip() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read, w.readBytes = w.end.Seq, w.added
}

// state returns the values that a reader needs to join.
func (w *window) state() (generation uint64, start, end Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.generation, w.start, w.end
}
