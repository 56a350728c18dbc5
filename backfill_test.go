package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/replhub/replhub"
)

// Rows come again as deliveries that say that they are rows, under other ids than
// the first time, and Describe tells of their end.
func TestBackfill(t *testing.T) {
	l := newLab(t)
	l.startHub()
	owner := l.client(func(c *replhub.Config) { c.Service = "accounts" })
	c := l.client(func(c *replhub.Config) { c.Service = "sharing" })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	rows := make(map[string][]uint64) // by key, their numbers
	ids := make(map[string]bool)
	events := 0
	ended := make(chan error, 1)
	go func() {
		r := replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}}
		ended <- c.RunSubscriber(ctx, replhub.SubscriberConfig{Registration: r}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			mu.Lock()
			defer mu.Unlock()
			if d.Row == 0 {
				events++
				return nil
			}
			rows[d.Key] = append(rows[d.Key], d.Row)
			ids[d.ID] = true
			return nil
		}))
	}()
	l.eventually("a registration", func() error {
		status, err := c.Describe(t.Context())
		if err == nil {
			err = count("entities", len(status.Entities), 1) // the lane is there before
		}
		return err
	})
	_, err := c.Backfill(t.Context(), "user", "")
	if r, ok := errors.AsType[*replhub.RefusedError](err); !ok || r.Code != replhub.CodeUnavailable || r.Field != "entity" {
		t.Errorf("without an owner: %v", err)
	}
	l.serve(owner, numbers(5))
	if _, err := owner.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Update, Key: "1"}); err != nil {
		t.Fatal(err)
	}
	var last replhub.Backfill
	for range 2 {
		l.eventually("a backfill", func() error {
			last, err = c.Backfill(t.Context(), "user", "")
			return err
		})
		l.eventually("its end", func() error {
			status, err := c.Describe(t.Context())
			if err != nil {
				return err
			}
			for _, f := range status.Filled {
				if f.ID == last.ID && f.Rows == 5 && f.Entity == "user" && !f.Ended.Before(f.Began) {
					return nil
				}
			}
			return fmt.Errorf("fills %+v, filled %+v", status.Fills, status.Filled)
		})
	}
	if last.Entity != "user" || last.Filter != "" || last.Position.Epoch != 1 || last.Began.IsZero() || last.UnderWay {
		t.Errorf("backfill %+v", last)
	}
	l.eventually("all rows", func() error {
		mu.Lock()
		defer mu.Unlock()
		return errors.Join(count("ids of rows", len(ids), 10), count("events", events, 1))
	})
	mu.Lock()
	defer mu.Unlock()
	for key, numbers := range rows {
		if want := fmt.Sprintf("[%s %s]", key, key); fmt.Sprint(numbers) != want {
			t.Errorf("row %s came as numbers %v, want %s", key, numbers, want)
		}
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
