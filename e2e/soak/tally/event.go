package tally

import (
	"sort"
	"sync"
	"time"
)

const (
	// Entities is how many entities there are, Classes how many classes of
	// events each has. Filters tell classes apart.
	Entities = 4
	Classes  = 8
	// Keys is how many keys each entity has.
	Keys = 1024
)

// Mask is a set of classes, one bit each.
type Mask uint8

// Every is the mask of a definition without a filter.
const Every Mask = 1<<Classes - 1

func (m Mask) has(class int) bool { return m&(1<<class) != 0 }

const blockSize = 1 << 16

// mark is what had been acknowledged at a time.
type mark struct {
	at   time.Time
	last uint64
}

// Events are the acknowledged events of ingest. They may be used concurrently.
type Events struct {
	mu     sync.RWMutex // guards the rest
	blocks [][]byte     // 0, or 1 + the event's entity and class
	last   uint64
	acked  uint64
	marks  []mark
}

// Ack notes that an event was acknowledged under a sequence. The same event may
// be acknowledged more than once.
func (e *Events) Ack(seq uint64, entity, class int, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	block := int(seq / blockSize)
	for len(e.blocks) <= block {
		e.blocks = append(e.blocks, make([]byte, blockSize))
	}
	at := &e.blocks[block][seq%blockSize]
	if *at == 0 {
		e.acked++
	}
	*at = byte(1 + entity*Classes + class)
	e.last = max(e.last, seq)
	if n := len(e.marks); n == 0 || now.Sub(e.marks[n-1].at) >= time.Second {
		e.marks = append(e.marks, mark{at: now, last: e.last})
	}
}

// Acked is how many events were acknowledged.
func (e *Events) Acked() uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.acked
}

// Last is the highest acknowledged sequence.
func (e *Events) Last() uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.last
}

// LastAt is the highest sequence acknowledged by a time, to the second.
func (e *Events) LastAt(t time.Time) uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	i := sort.Search(len(e.marks), func(i int) bool { return e.marks[i].at.After(t) })
	if i == 0 {
		return 0
	}
	return e.marks[i-1].last
}

// TimeOf is when an event was acknowledged, to the second.
func (e *Events) TimeOf(seq uint64) time.Time {
	e.mu.RLock()
	defer e.mu.RUnlock()
	i := sort.Search(len(e.marks), func(i int) bool { return e.marks[i].last >= seq })
	if i == len(e.marks) {
		i--
	}
	if i < 0 {
		return time.Time{}
	}
	return e.marks[i].at
}

// kind is what is known of an event; ok is false when it was not acknowledged.
func (e *Events) kind(seq uint64) (entity, class int, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	block := int(seq / blockSize)
	if block >= len(e.blocks) || e.blocks[block][seq%blockSize] == 0 {
		return 0, 0, false
	}
	k := int(e.blocks[block][seq%blockSize]) - 1
	return k / Classes, k % Classes, true
}
