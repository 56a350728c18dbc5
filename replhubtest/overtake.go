package replhubtest

import (
	"context"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/pause"
)

// hold keeps a delivery until the next one of its key was handled, at most for
// MaxDelay.
func (c *Chaos) hold(ctx context.Context, late call) {
	one := &heldCall{call: late, taken: make(chan struct{})}
	at := lineOf(&late.delivery)
	c.mu.Lock()
	c.held[at] = append(c.held[at], one)
	c.mu.Unlock()
	// The delivery is acknowledged by then, and its context over.
	ctx = context.WithoutCancel(ctx)
	c.wg.Go(func() {
		timer := time.NewTimer(c.cfg.MaxDelay)
		defer timer.Stop()
		select {
		case <-one.taken:
			return
		case <-timer.C:
		case <-c.stopped:
		}
		if c.take(at, one) {
			c.finish(ctx, one.call)
		}
	})
}

// release handles what d has overtaken.
func (c *Chaos) release(ctx context.Context, d *replhub.Delivery) {
	at := lineOf(d)
	c.mu.Lock()
	waiting := c.held[at]
	delete(c.held, at)
	c.mu.Unlock()
	for _, one := range waiting {
		close(one.taken)
		c.finish(context.WithoutCancel(ctx), one.call)
	}
}

// take takes a held call for the one who handles it.
func (c *Chaos) take(at line, one *heldCall) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.held[at] {
		if other == one {
			c.held[at] = append(c.held[at][:i], c.held[at][i+1:]...)
			return true
		}
	}
	return false
}

// finish handles a delivery that is acknowledged already: nobody else will see to
// it, so it is tried until it works, up to ten times.
func (c *Chaos) finish(ctx context.Context, late call) {
	ctx = context.WithValue(ctx, heldBack{}, true)
	var err error
	for range 10 {
		if err = c.handle(ctx, late.handler, &late.delivery); err == nil {
			c.remember(late)
			return
		}
		if pause.For(ctx, c.cfg.MaxDelay) != nil {
			break
		}
	}
	c.t.Errorf("chaos: %s %s %q was overtaken, and its handler fails: %v",
		late.delivery.Entity, late.delivery.Op, late.delivery.Key, err)
}

// heldBack marks the context of a delivery that was held back.
type heldBack struct{}

func isHeldBack(ctx context.Context) bool { return ctx.Value(heldBack{}) != nil }

// keptPast is how many deliveries of a key may be replayed.
const keptPast = 4

// remember keeps a delivery that was handled, for replays.
func (c *Chaos) remember(done call) {
	if c.cfg.Replays < 0 || done.delivery.Key == "" {
		return
	}
	at := lineOf(&done.delivery)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past[at] = append(c.past[at], done)
	c.past[at] = c.past[at][max(0, len(c.past[at])-keptPast):]
}

// replay handles the oldest remembered delivery of d's key once more. What comes
// of it is not looked at: it was done before.
func (c *Chaos) replay(ctx context.Context, d *replhub.Delivery) {
	c.mu.Lock()
	past := c.past[lineOf(d)]
	if len(past) == 0 {
		c.mu.Unlock()
		return
	}
	old := past[0]
	c.stats.Replays++
	c.mu.Unlock()
	_ = c.handle(ctx, old.handler, &old.delivery)
}

func lineOf(d *replhub.Delivery) line { return line{d.Entity, d.Key} }
