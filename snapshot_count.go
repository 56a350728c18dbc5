package replhub

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// countEvery is the time between two calls of a Rows.Count, which may be slow in a large
	// table.
	countEvery = time.Minute
	// countTime bounds one call.
	countTime = time.Second
)

// rowCount knows about how many rows there are. It may be used concurrently.
type rowCount struct {
	ask func(context.Context) (uint64, error) // nil where nobody knows

	mu     sync.Mutex // guards the rest
	asked  time.Time
	asking bool
	rows   uint64
}

// about is about how many rows there are; 0 where that is not known.
func (r *rowCount) about(ctx context.Context, log *slog.Logger) uint64 {
	if answered := r.begin(ctx, log); answered != nil {
		timer := time.NewTimer(countTime)
		defer timer.Stop()
		select {
		case <-answered:
		case <-timer.C: // the function does not heed its context
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rows
}

// begin calls the function if that is due, and returns a channel that is closed when the
// function has returned; nil if it is not due.
func (r *rowCount) begin(ctx context.Context, log *slog.Logger) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ask == nil || r.asking || !r.asked.IsZero() && time.Since(r.asked) < countEvery {
		return nil
	}
	r.asking = true
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		rows, err := r.call(ctx)
		if err != nil {
			log.Debug("count the rows of a snapshot", "err", err) // the rows go on without
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asking, r.asked = false, time.Now()
		if err == nil {
			r.rows = rows
		}
	}()
	return answered
}

func (r *rowCount) call(ctx context.Context) (rows uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r.ask(ctx)
}
