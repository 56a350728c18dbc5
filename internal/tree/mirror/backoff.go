package mirror

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// Backoff waits longer with each failure in a row: 50 ms, doubled up to 2 s,
// each shortened by up to half so that many clients do not come at once. The
// zero value is ready.
type Backoff struct{ pause time.Duration }

// Reset returns to the first wait, after a success.
func (b *Backoff) Reset() { b.pause = 0 }

// Wait waits for the next pause, or until ctx ends.
func (b *Backoff) Wait(ctx context.Context) {
	b.pause = min(max(2*b.pause, firstPause), maxPause)
	timer := time.NewTimer(b.pause - rand.N(b.pause/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
