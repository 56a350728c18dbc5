package outbox_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/outbox"
)

// timed runs a relay that polls once a minute, and gives the median time from
// commit to publish.
func timed(t *testing.T, p *place, wake func(*outbox.Relay), change ...func(*outbox.RelayConfig)) time.Duration {
	t.Helper()
	arrived := make(chan time.Time, 1)
	r, _ := p.run(publisherFunc(func(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
		acks, err := p.bus.client.PublishBatch(ctx, events)
		arrived <- time.Now()
		return acks, err
	}), append(change, func(cfg *outbox.RelayConfig) { cfg.Poll = time.Minute })...)
	var took []time.Duration
	for i := range 40 {
		p.enqueue(user(strconv.Itoa(i)))
		committed := time.Now()
		wake(r)
		select {
		case at := <-arrived:
			took = append(took, at.Sub(committed))
		case <-time.After(10 * time.Second):
			t.Fatal("nothing woke the relay")
		}
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func TestListenWakesTheRelay(t *testing.T) {
	p := newPlace(t, postgres, outbox.Config{})
	listening := make(chan struct{}, 100)
	median := timed(t, p, func(*outbox.Relay) {}, func(cfg *outbox.RelayConfig) {
		listen := outbox.ListenPgx(func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, p.dataSource) })
		cfg.Listen = func(ctx context.Context, channel string, wake func()) error {
			return listen(ctx, channel, func() {
				wake()
				listening <- struct{}{}
			})
		}
	})
	t.Logf("from commit to publish, median: %v", median)
	if median > 50*time.Millisecond {
		t.Errorf("median of %v from commit to publish", median)
	}
	if len(listening) < 2 {
		t.Errorf("%d notifications", len(listening))
	}
}

func TestWake(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		median := timed(t, p, (*outbox.Relay).Wake)
		t.Logf("from commit to publish, median: %v", median)
		if median > 50*time.Millisecond {
			t.Errorf("median of %v from commit to publish", median)
		}
	})
}

// A listener that breaks is begun again, and what was committed meanwhile is
// looked for.
func TestListenerBreaks(t *testing.T) {
	p := newPlace(t, postgres, outbox.Config{})
	up := make(chan struct{}, 100)
	p.run(p.bus.client, func(cfg *outbox.RelayConfig) {
		cfg.Poll = time.Minute
		connects := 0
		listen := outbox.ListenPgx(func(ctx context.Context) (*pgx.Conn, error) {
			if connects++; connects == 2 {
				return nil, errors.New("not yet")
			}
			return pgx.Connect(ctx, p.dataSource)
		})
		cfg.Listen = func(ctx context.Context, channel string, wake func()) error {
			return listen(ctx, channel, func() { wake(); up <- struct{}{} })
		}
	})
	select {
	case <-up:
	case <-time.After(10 * time.Second):
		t.Fatal("the relay was not woken as the listener began")
	}
	_, err := p.db.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()")
	if err != nil {
		t.Fatal(err)
	}
	p.enqueue(user("1"))
	p.emptied()
	p.bus.stored(1)
}
