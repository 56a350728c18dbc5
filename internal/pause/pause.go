// Package pause waits. A wait ends early with its context, and leaves no timer behind.
package pause

import (
	"context"
	"time"
)

// For waits for d. If the context ends before, it returns the context's cause.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
