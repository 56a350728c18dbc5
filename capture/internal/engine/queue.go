package engine

import (
	"sync"

	"github.com/replhub/replhub/internal/captured"
)

const (
	// queueBytes and queueItems bound what is read and not yet stored. They hold a few
	// appends, so that the stream is read while an append is under way.
	queueBytes = 16 << 20
	queueItems = 3 * appendEvents
)

// queue holds what the stream has read, in order, until the writer takes it. It is the
// only thing that both use.
type queue struct {
	mu    sync.Mutex // guards items, bytes and most
	items []item
	bytes int

	// slab is the memory of the next events: one allocation for several. putEvent alone uses
	// it.
	slab []event

	filled chan struct{} // holds one: there are items
	room   chan struct{} // holds one: items were taken
}

func newQueue() *queue {
	return &queue{filled: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put adds an item. It never waits: who reads the stream looks at open between two
// messages, each of which makes a few items at most.
func (q *queue) put(it item) {
	q.mu.Lock()
	q.items = append(q.items, it)
	if it.event != nil {
		q.bytes += it.event.size()
	}
	first := len(q.items) == 1
	q.mu.Unlock()
	if first {
		signal(q.filled)
	}
}

// slabEvents is the number of events that share an allocation.
const slabEvents = 64

// putEvent is put for an event. Only who reads the stream calls it.
func (q *queue) putEvent(e event) {
	if len(q.slab) == cap(q.slab) {
		q.slab = make([]event, 0, slabEvents)
	}
	q.slab = append(q.slab, e)
	q.put(item{event: &q.slab[len(q.slab)-1]})
}

// done adds the news that no change before an LSN is missing. It replaces earlier news
// at the end of the queue, so that an idle database does not fill it.
func (q *queue) done(upTo captured.LSN) {
	q.mu.Lock()
	if n := len(q.items); n > 0 && q.items[n-1].news() {
		q.items[n-1].done = upTo
		q.mu.Unlock()
		return
	}
	q.mu.Unlock()
	q.put(item{done: upTo})
}

func (q *queue) hasRoom() bool { return len(q.items) < queueItems && q.bytes < queueBytes }

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// open reports whether there is room for another item.
func (q *queue) open() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.hasRoom()
}

// take takes items up to a number and a size, at least one if there is one.
func (q *queue) take(dst []item) []item {
	q.mu.Lock()
	n, bytes := 0, 0
	for n < len(q.items) && n < appendEvents && bytes < appendBytes {
		if e := q.items[n].event; e != nil {
			bytes += e.size()
		}
		n++
	}
	dst = append(dst, q.items[:n]...)
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:])
	q.items = q.items[:rest]
	q.bytes -= bytes
	more := rest > 0
	q.mu.Unlock()
	if n > 0 {
		signal(q.room)
	}
	if more {
		signal(q.filled)
	}
	return dst
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}
