package push

import (
	"context"
	"sync"
	"time"
)

// gate is what every request passes. It is open until the endpoint asks for a wait; then
// nobody passes until the wait is over, and after that one request alone, whose answer
// opens the gate or closes it again. So an endpoint that is overloaded gets no wave of
// requests at the end of its wait.
type gate struct {
	now func() time.Time

	mu sync.Mutex // guards the rest
	// waits is how many waits in a row were asked for; 0 while the gate is open.
	waits int
	until time.Time
	// first says that the one request is under way.
	first   bool
	changed chan struct{} // closed at each change
}

func newGate() *gate { return &gate{now: time.Now, changed: make(chan struct{})} }

// pass waits until a request may be made. alone says that it is the one request after a
// wait; leave must be told so.
func (g *gate) pass(ctx context.Context) (alone bool, err error) {
	for {
		alone, wait, changed := g.look()
		if wait == 0 {
			return alone, ctx.Err()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			timer.Stop()
			return false, context.Cause(ctx)
		}
		timer.Stop()
	}
}

// look is one step of pass: how long to wait until the next one; 0 passes.
func (g *gate) look() (alone bool, wait time.Duration, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	switch {
	case g.waits == 0:
		return false, 0, nil
	case now.Before(g.until):
		return false, g.until.Sub(now), g.changed
	case g.first:
		return false, time.Hour, g.changed // its answer is a change
	default:
		g.first = true
		return true, 0, nil
	}
}

// leave notes that a request had an answer that asks for no wait, or none. Only the one
// request after a wait says that the wait is over: another one may have begun before it.
func (g *gate) leave(alone, answered bool) {
	if !alone {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.first = false
	if answered {
		g.waits = 0
	}
	g.tell()
}

// shut closes the gate. wait tells how long, given how many waits in a row there were
// before. began says that the endpoint had not asked for a wait before.
func (g *gate) shut(alone bool, wait func(before int) time.Duration) (length time.Duration, began bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	began = g.waits == 0
	length = wait(g.waits)
	if alone || began {
		g.waits++ // the answers to requests that were under way together are one
	}
	if until := g.now().Add(length); until.After(g.until) {
		g.until = until
	}
	if alone {
		g.first = false
	}
	g.tell()
	return length, began
}

// tell wakes those who wait. The lock is held.
func (g *gate) tell() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// remaining is how long the gate stays closed; closed is false when it is open.
func (g *gate) remaining() (left time.Duration, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.until.Sub(g.now()), 0), g.waits > 0
}
