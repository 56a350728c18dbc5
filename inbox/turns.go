package inbox

import (
	"context"
	"database/sql"
	"sync"

	"github.com/replhub/replhub"
)

const (
	// mostTurns is how many transactions of Replicate are under way at a time before
	// calls wait. With four, 8 workers reach 0.76 of a bare upsert in a transaction
	// each, with eight 1.07 to 1.12, as without turns; 48 workers reach 1.39 to 1.50
	// with eight and 1.02 to 1.09 without (BenchmarkApply, PostgreSQL 15 on 2 cores).
	mostTurns = 8
	// mostInTurn is how many calls share a transaction; see
	// replhub.SubscriberConfig.MaxBatch.
	mostInTurn = 500
)

// call is a call of Replicate.
type call struct {
	inbox *Inbox
	table *Table
	db    *sql.DB
	d     *replhub.Delivery
}

func (c call) alone(ctx context.Context) (Outcome, error) {
	return c.inbox.replicateOne(ctx, c.db, c.d, c.table)
}

// turns has calls of Replicate that meet share a transaction. Nobody waits for a
// turn to fill: what came while the ones before were under way goes together. The
// zero turns works.
type turns struct {
	mu      sync.Mutex // guards what follows
	running int
	waiting []*waiter
}

// waiter is a call that waits. When ready is closed it either leads others, its
// own call among them, or has its answer, or is to go on alone.
type waiter struct {
	call

	ready   chan struct{}
	leads   []*waiter
	outcome Outcome
	applied bool
}

func (t *turns) take(ctx context.Context, c call) (Outcome, error) {
	t.mu.Lock()
	if t.running < mostTurns {
		t.running++
		t.mu.Unlock()
		defer t.next()
		return c.alone(ctx)
	}
	w := &waiter{call: c, ready: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	// The one before ends within its own context. An end of this one's is noticed
	// then.
	<-w.ready
	switch {
	case len(w.leads) > 0:
		return t.lead(ctx, w)
	case w.applied:
		return w.outcome, nil
	default:
		return c.alone(ctx)
	}
}

// next ends a turn, and gives it to those who wait.
func (t *turns) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.running--
		return
	}
	n := 1
	first := t.waiting[0]
	for n < min(len(t.waiting), mostInTurn) && t.waiting[n].db == first.db && t.waiting[n].inbox == first.inbox {
		n++
	}
	first.leads, t.waiting = t.waiting[:n:n], t.waiting[n:]
	close(first.ready)
}

// lead makes the calls of a turn in one transaction.
func (t *turns) lead(ctx context.Context, first *waiter) (Outcome, error) {
	defer t.next()
	others := first.leads[1:]
	// After a panic too, they go on.
	defer func() {
		for _, w := range others {
			close(w.ready)
		}
	}()
	batch := make([]*replhub.Delivery, len(first.leads))
	for n, w := range first.leads {
		batch[n] = w.d
	}
	outcomes, err := first.inbox.ReplicateBatch(ctx, first.db, batch, first.table)
	if err != nil && len(others) == 0 {
		return 0, err
	}
	if err != nil {
		return first.alone(ctx)
	}
	for n, w := range others {
		w.outcome, w.applied = outcomes[n+1], true
	}
	return outcomes[0], nil
}
