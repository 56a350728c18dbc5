package replhub_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
)

func TestAsyncIsBounded(t *testing.T) {
	l := newLab(t)
	l.ingestLike(func(cfg *jetstream.StreamConfig) { cfg.NoAck = true })
	c := l.client(func(c *replhub.Config) { c.MaxPending = 2 })
	var pending []*replhub.Pending
	for i := range 2 {
		p, err := c.PublishAsync(t.Context(), user(fmt.Sprint(i), 1))
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.PublishAsync(ctx, user("c", 1))
	wants(t, err, context.DeadlineExceeded)
	wantsNot(t, err, replhub.ErrUnknownOutcome)
	wants(t, c.Drain(ctx), context.DeadlineExceeded)
	for _, p := range pending {
		_, err := p.Wait(t.Context())
		wants(t, err, replhub.ErrClosed, replhub.ErrUnknownOutcome)
	}
	_, err = c.PublishAsync(t.Context(), user("d", 1))
	wants(t, err, replhub.ErrClosed)
}

func TestDrainWaitsForWhatIsPending(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client()
	var pending []*replhub.Pending
	for i := range 100 {
		p, err := c.PublishAsync(t.Context(), user("a", i))
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	if err := c.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range pending {
		select {
		case <-p.Done():
		default:
			t.Fatal("drained before all was done")
		}
	}
	if err := count("stored", ascending(t, l.stored(s)), 100); err != nil {
		t.Error(err)
	}
}
