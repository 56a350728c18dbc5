package apply

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/replhub/replhub"
)

// sampling bounds the wait for first rows, before the first row is written.
type sampling struct {
	// rows are enough; 1000 by default.
	rows int
	// quiet is how long no further row has to come, and most how long the wait is in
	// all; 1 s and 10 s by default.
	quiet, most time.Duration
}

func (s sampling) withDefaults() sampling {
	s.rows = cmp.Or(s.rows, 1000)
	s.quiet = cmp.Or(s.quiet, time.Second)
	s.most = cmp.Or(s.most, 10*time.Second)
	return s
}

// sample looks at the first rows in the lane, and makes the tables that do not exist. It
// gives all rows back. Its workers hold the rows, so there are many workers. A table whose
// rows do not come now is made when they come, see settle.
func (a *Applier) sample(ctx context.Context) error {
	arrived, over := make(chan struct{}, 1), make(chan struct{})
	handler := replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
		for _, group := range byEntity(batch) {
			if r := a.replicaOf(group[0].Entity); r != nil {
				r.hold(group)
			}
		}
		select {
		case arrived <- struct{}{}:
		default:
		}
		<-ctx.Done() // which is soon: the drain has hardly any time
		return ctx.Err()
	})
	const workers = 200
	sub, err := replhub.NewBatchSubscriber(a.client, replhub.SubscriberConfig{
		Workers: workers, MaxBatch: 1000 / workers, DrainTimeout: time.Millisecond,
	}, handler)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		a.collect(running, a.held, arrived)
		stop()
		close(over)
	}()
	err = sub.Run(running)
	stop()
	<-over
	if err != nil || ctx.Err() != nil {
		return err
	}
	for _, r := range a.replicas {
		if rows := r.take(); len(rows) > 0 && !r.exists() {
			if err := a.make(ctx, r, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// make makes a table from rows, unless somebody has, and judges it by them.
func (a *Applier) make(ctx context.Context, r *replica, rows []*replhub.Delivery) error {
	if !r.exists() {
		if err := a.adopt(ctx, r); err != nil {
			return err
		}
	}
	if !r.exists() {
		if len(rows) == 0 {
			return replhub.Unavailable(errors.New("no row to make the table from has arrived yet"))
		}
		if err := a.create(ctx, r, rows); err != nil || a.cfg.DryRun {
			return err
		}
	}
	m, table := r.known()
	return a.judge(ctx, m, table, rows)
}

// collect waits for first rows: until there are enough, or none is left in the lane, or
// none has come for a while, since workers that hold rows take no more.
func (a *Applier) collect(ctx context.Context, held func() int, arrived <-chan struct{}) {
	s := a.cfg.sampling
	quiet, most := time.NewTimer(s.most), time.NewTimer(s.most)
	defer quiet.Stop()
	defer most.Stop()
	ask := time.NewTicker(s.quiet / 10)
	defer ask.Stop()
	for {
		select {
		case <-arrived:
			quiet.Reset(s.quiet)
			if held() >= s.rows {
				return
			}
		case <-ask.C:
			if a.allHeld(ctx) {
				return
			}
		case <-quiet.C:
			return
		case <-most.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// allHeld reports whether the lane has no row beside those that workers hold.
func (a *Applier) allHeld(ctx context.Context) bool {
	status, err := a.client.Describe(ctx)
	if err != nil || status.Lag > 0 || len(status.Fills) > 0 {
		return false
	}
	return status.Backlog <= uint64(a.held())
}

// held counts the rows that workers hold.
func (a *Applier) held() int {
	n := 0
	for _, r := range a.replicas {
		n += r.held()
	}
	return n
}
