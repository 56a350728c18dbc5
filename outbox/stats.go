package outbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Stats is what to watch of an outbox and a relay.
type Stats struct {
	// Depth is how many committed rows wait.
	Depth int64
	// Age is how long the oldest committed row waits, by this machine's clock; 0 when
	// no row waits.
	Age time.Duration
	// Failed is how many events are set aside now, waiting for Requeue.
	Failed int64
	// Generation stands above the versions that go out: 0 at first, and another after each
	// restore of the database that a relay noticed or that NewGeneration began.
	Generation int64

	// Published, SetAside and Duplicates count events since this relay was made:
	// acknowledged and deleted, set aside, and known to the hub already. A duplicate
	// behind an event that is not a duplicate may go unreported, and then does not count.
	Published, SetAside, Duplicates uint64
	// Retries counts failures that made this relay back off.
	Retries uint64
}

type counters struct {
	published, setAside, duplicates, retries atomic.Uint64
}

// Stats asks the database how long the outbox is, which takes time that grows
// with its length, and adds this relay's counters. It may be called while Run
// runs.
func (r *Relay) Stats(ctx context.Context) (Stats, error) {
	s := Stats{
		Published: r.counters.published.Load(), SetAside: r.counters.setAside.Load(),
		Duplicates: r.counters.duplicates.Load(), Retries: r.counters.retries.Load(),
	}
	var oldest int64
	if err := r.cfg.DB.QueryRowContext(ctx, r.box.sql.depth).Scan(&s.Depth, &oldest, &s.Failed, &s.Generation); err != nil {
		return s, fmt.Errorf("outbox stats: %w", err)
	}
	if s.Depth > 0 {
		s.Age = max(0, time.Since(time.UnixMilli(oldest)))
	}
	return s, nil
}
