package inbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/replhubtest"
)

// benchRows are the rows of the snapshots that are measured.
const benchRows = 100_000

// BenchmarkSnapshot sets a snapshot into a replica in batches beside one that is
// applied row by row, on a PostgreSQL that waits for its disk. The time is that from
// the registration to the last acknowledgement; eight workers at work.
func BenchmarkSnapshot(b *testing.B) {
	hub := replhubtest.Start(b)
	owner := hub.Client(b, "accounts")
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- owner.ServeSnapshot(ctx, "user", benchSnapshot) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
	}()
	ways := []struct {
		name      string
		subscribe func(service string, sub replhub.SubscriberConfig, r *replica) *replhubtest.Instance
	}{
		{"batch", func(service string, sub replhub.SubscriberConfig, r *replica) *replhubtest.Instance {
			return hub.SubscribeBatch(b, service, sub, r.users.Handler(r.DB))
		}},
		{"single", func(service string, sub replhub.SubscriberConfig, r *replica) *replhubtest.Instance {
			return hub.Subscribe(b, service, sub, replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
				_, err := r.inbox.Replicate(ctx, r.DB, d, r.users)
				return err
			}))
		}},
	}
	took := make([]time.Duration, len(ways))
	rounds := 0
	for b.Loop() {
		rounds++
		for n, way := range ways {
			r := newReplica(b, inbox.Config{})
			service := fmt.Sprintf("%s-%d", way.name, rounds)
			began := time.Now()
			instance := way.subscribe(service, replhub.SubscriberConfig{
				Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartSnapshot()}}},
				Workers:      8,
			}, r)
			replhubtest.Await(b, "all rows", func() error {
				if n := r.inbox.Stats().Applied; n < benchRows {
					return fmt.Errorf("%d rows", n)
				}
				return nil
			}, replhubtest.Within(5*time.Minute))
			hub.AwaitDrained(b, service)
			took[n] += time.Since(began)
			if err := instance.Stop(); err != nil {
				b.Error(err)
			}
			if n := r.count(b, "SELECT count(*) FROM users"); n != benchRows {
				b.Errorf("%d rows", n)
			}
		}
	}
	rate := func(n int) float64 { return float64(rounds) * benchRows / took[n].Seconds() }
	b.ReportMetric(rate(0), "batch/s")
	b.ReportMetric(rate(1), "single/s")
	b.ReportMetric(rate(0)/rate(1), "batch/single")
}

// benchSnapshot has the rows at hand.
func benchSnapshot(_ context.Context, after string, yield func(replhub.Event) error) error {
	first := 0
	if after != "" {
		if _, err := fmt.Sscanf(after, "user-%d", &first); err != nil {
			return err
		}
		first++
	}
	for i := first; i < benchRows; i++ {
		key := fmt.Sprintf("user-%08d", i)
		if err := yield(replhub.Event{Key: key, Version: 1, Data: fmt.Appendf(nil, `{"id":%q,"name":%q,"note":"%0180d"}`, key, key, i)}); err != nil {
			return nil //nolint:nilerr // it takes no more
		}
	}
	return nil
}
