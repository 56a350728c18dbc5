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

	mu    sync.Mutex // guards the rest
	asked time.Time
	rows  uint64
}

// about is about how many rows there are; 0 where that is not known.
func (r *rowCount) about(ctx context.Context, log *slog.Logger) uint64 {
	if r.ask == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked.IsZero() && time.Since(r.asked) < countEvery {
		return r.rows
	}
	rows, err := r.call(ctx)
	r.asked = time.Now()
	if err != nil {
		log.Debug("count the rows of a snapshot", "err", err) // the rows go on without
		return r.rows
	}
	r.rows = rows
	return rows
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
