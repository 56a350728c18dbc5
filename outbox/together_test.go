package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub"
)

// The relay takes the rows of all shards together, but one that fails again and
// again holds up its own shard alone.
func TestFailingEventHoldsItsShardAlone(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.enqueue(user("bad"))
		var others []replhub.Event
		for n := range 60 {
			others = append(others, user(strconv.Itoa(n)))
		}
		p.enqueue(others...)
		var failures atomic.Int64
		p.run(publisherFunc(func(_ context.Context, events []replhub.Event) ([]replhub.Ack, error) {
			for n, ev := range events {
				if ev.Key == "bad" {
					failures.Add(1)
					return make([]replhub.Ack, n), errors.New("not now")
				}
			}
			return make([]replhub.Ack, len(events)), nil
		}))
		eventually(t, "rows of other shards to leave", func() error {
			var n int
			err := p.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM replhub_outbox WHERE shard NOT IN (SELECT shard FROM replhub_outbox WHERE entity_key = 'bad')").Scan(&n)
			if err == nil && n > 0 {
				err = fmt.Errorf("%d rows", n)
			}
			if got := failures.Load(); n > 0 && got > 100 {
				t.Fatalf("after %d failures there are %d rows of other shards", got, n)
			}
			return err
		})
		if p.rows("") == 0 {
			t.Error("the event that failed is gone")
		}
	})
}

// A few rows of many shards take one batch, not one for each shard.
func TestShardsShareABatch(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		var events []replhub.Event
		for n := range 60 {
			events = append(events, user(strconv.Itoa(n)))
		}
		p.enqueue(events...)
		var batches atomic.Int64
		p.run(publisherFunc(func(_ context.Context, events []replhub.Event) ([]replhub.Ack, error) {
			batches.Add(1)
			return make([]replhub.Ack, len(events)), nil
		}))
		p.emptied()
		if got := batches.Load(); got != 1 {
			t.Errorf("it took %d batches", got)
		}
	})
}
