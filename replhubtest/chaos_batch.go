package replhubtest

import (
	"context"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/pause"
)

// WrapBatch is Wrap for a handler of batches. A batch is delayed, crashes or loses
// its acknowledgement as a whole, which its first delivery decides; it is then
// handled again, in halves. Duplicates are twice in a batch, replays and what was
// overtaken are batches of one.
func (c *Chaos) WrapBatch(handler replhub.BatchHandler) replhub.BatchHandler {
	alone := replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
		return handler.HandleBatch(ctx, []*replhub.Delivery{d})
	})
	return replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
		attempt, kept := c.planBatch(batch)
		if attempt.delay > 0 {
			if err := pause.For(ctx, attempt.delay); err != nil {
				return err
			}
		}
		var now []*replhub.Delivery
		for n, d := range batch {
			if kept[n].overtaken {
				c.hold(ctx, call{alone, copyOf(d)})
				continue
			}
			for range kept[n].times() {
				own := copyOf(d)
				now = append(now, &own)
			}
		}
		if len(now) == 0 {
			return nil
		}
		handle := func(ctx context.Context) error { return c.handleBatch(ctx, handler, now) }
		if attempt.crash {
			crash(ctx, attempt.crashAfter, handle)
			return again()
		}
		if err := handle(ctx); err != nil {
			return err
		}
		c.handled(ctx, alone, batch, kept)
		if attempt.lostAck {
			return again()
		}
		return nil
	})
}

// times is how often a delivery is in its batch.
func (p plan) times() int {
	if p.duplicate {
		return 2
	}
	return 1
}

// planBatch is what is done to a batch, and to each of its deliveries.
func (c *Chaos) planBatch(batch []*replhub.Delivery) (attempt plan, each []plan) {
	each = make([]plan, len(batch))
	for n, d := range batch {
		each[n] = c.plan(d, n == 0)
	}
	return each[0], each
}

func (c *Chaos) handleBatch(ctx context.Context, handler replhub.BatchHandler, batch []*replhub.Delivery) error {
	c.mu.Lock()
	c.stats.Handled += len(batch)
	c.mu.Unlock()
	return handler.HandleBatch(ctx, batch)
}

// handled has what a batch's deliveries have overtaken handled, and older ones of
// their keys once more.
func (c *Chaos) handled(ctx context.Context, alone replhub.Handler, batch []*replhub.Delivery, each []plan) {
	for n, d := range batch {
		if each[n].overtaken {
			continue
		}
		c.release(ctx, d)
		if each[n].replay {
			c.replay(ctx, d)
		}
		c.remember(call{alone, copyOf(d)})
	}
}
