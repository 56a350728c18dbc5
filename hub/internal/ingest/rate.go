package ingest

import (
	"sync"
	"time"
)

// rate measures events per second between two looks at the last sequence.
type rate struct {
	mu   sync.Mutex // guards the rest
	seq  uint64
	at   time.Time
	last float64
}

// observe takes a look at the last sequence and returns the rate since the
// look before, averaged over at least a second.
func (r *rate) observe(seq uint64, now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	elapsed := now.Sub(r.at)
	switch {
	case r.at.IsZero() || seq < r.seq:
		r.seq, r.at, r.last = seq, now, 0
	case elapsed >= time.Second:
		r.last = float64(seq-r.seq) / elapsed.Seconds()
		r.seq, r.at = seq, now
	}
	return r.last
}

// Rate is the number of events stored per second, from one call to the next.
func (g *Ingest) Rate(b Bounds) float64 { return g.rates.observe(b.Last, g.Now()) }
