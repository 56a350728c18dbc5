package lane

import (
	"sync/atomic"
	"time"
)

// Status is what a lane's loop last said of itself; immutable.
type Status struct {
	// State is the state with its cursors as they stand now.
	State State
	// Stalled is why the lane does not get on; empty when it does.
	Stalled string
	// Changed is when Stalled last changed between empty and not.
	Changed time.Time
	// Last is the stream's last sequence.
	Last uint64
	// Waiting is, by the ids of interests, why their snapshots wait.
	Waiting map[string]string
}

// Status returns the latest; cheap, for any goroutine.
func (l *Lane) Status() *Status { return l.status.Load() }

// report publishes a status; stalled is why the lane does not get on.
func (l *Lane) report(stalled string) {
	old := l.status.Load()
	s := &Status{State: l.tip.State, Stalled: stalled, Last: l.tip.Last, Changed: old.Changed, Waiting: l.rows.trouble()}
	if (stalled == "") != (old.Stalled == "") || s.Changed.IsZero() {
		s.Changed = l.env.Ingest.Now()
		if stalled == "" && old.Stalled != "" {
			l.log.Info("lane goes on", "stalled_for", s.Changed.Sub(old.Changed).Round(time.Millisecond).String())
		}
	}
	l.status.Store(s)
}

// counters are a lane's totals since this hub started.
type counters struct {
	copies, bytes          atomic.Uint64
	single, atomic, fast   atomic.Uint64
	records, dead, foreign atomic.Uint64
	fenced, retries        atomic.Uint64
}

func (c *counters) appended(kind Kind, msgs, bytes int) {
	c.copies.Add(uint64(msgs))
	c.bytes.Add(uint64(bytes))
	switch kind {
	case Single:
		c.single.Add(1)
	case Atomic:
		c.atomic.Add(1)
	case Fast:
		c.fast.Add(1)
	}
}

// Counts are a lane's totals since this hub started.
type Counts struct {
	Copies, Bytes uint64
	// Appends by kind, and state records.
	Single, Atomic, Fast, Records uint64
	// Dead letters, foreign messages, appends that another writer forestalled,
	// and other appends that were tried again.
	Dead, Foreign, Fenced, Retries uint64
}

// Counts returns the totals.
func (l *Lane) Counts() Counts {
	c := &l.counted
	return Counts{
		Copies: c.copies.Load(), Bytes: c.bytes.Load(),
		Single: c.single.Load(), Atomic: c.atomic.Load(), Fast: c.fast.Load(), Records: c.records.Load(),
		Dead: c.dead.Load(), Foreign: c.foreign.Load(), Fenced: c.fenced.Load(), Retries: c.retries.Load(),
	}
}
