package outbox_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/outbox"
)

// longEnv says how long the run below takes, for example "10m".
const longEnv = "REPLHUB_OUTBOX_HELD_OPEN"

// Transactions are held open, one that only reads and one that has enqueued, while
// others enqueue at a steady rate. The relay's rate and delay and the size of the table
// are logged, and nothing is left behind at the end.
func TestHeldOpenForLong(t *testing.T) {
	t.Parallel()
	d, err := time.ParseDuration(cmp.Or(os.Getenv(longEnv), "2s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, on := range []dialect{postgres, mariadb} {
		t.Run(on.String(), func(t *testing.T) {
			t.Parallel()
			heldOpen(t, newPlace(t, on, outbox.Config{}), d)
		})
	}
}

const (
	heldWriters = 4
	heldEvents  = 10 // in a transaction
	heldEvery   = 100 * time.Millisecond
	heldLines   = 20
)

func heldOpen(t *testing.T, p *place, d time.Duration) {
	t.Helper()
	var enqueued, published atomic.Int64
	var delay heldDelays
	p.run(publisherFunc(func(_ context.Context, events []replhub.Event) ([]replhub.Ack, error) {
		published.Add(int64(len(events)))
		delay.published(events)
		return make([]replhub.Ack, len(events)), nil
	}))
	reader := p.beginWith(sql.LevelRepeatableRead)
	if err := reader.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM replhub_outbox").Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	writer := p.beginWith(sql.LevelReadCommitted)
	if err := p.box.Enqueue(t.Context(), writer, user("held")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var writers sync.WaitGroup
	for w := range heldWriters {
		writers.Go(func() { p.enqueueSteadily(ctx, w, &enqueued) })
	}
	tick := time.NewTicker(d / heldLines)
	defer tick.Stop()
	began, before, beforeAt := time.Now(), int64(0), time.Now()
	for running := true; running; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			running = false
		}
		now, total := time.Now(), published.Load()
		mean, longest := delay.take()
		t.Logf("%-10s %4.0f s: %4.0f events/s published after %s (at most %s), %d behind, table %.1f MB", p.Dialect,
			now.Sub(began).Seconds(), float64(total-before)/now.Sub(beforeAt).Seconds(), mean, longest, max(enqueued.Load()-total, 0), float64(p.size())/1e6)
		before, beforeAt = total, now
	}
	writers.Wait()
	if err := writer.Commit(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all to be published", func() error {
		if n := published.Load(); n != enqueued.Load()+1 {
			return fmt.Errorf("%d of %d", n, enqueued.Load()+1)
		}
		return nil
	})
}

// enqueueSteadily enqueues until ctx ends.
func (p *place) enqueueSteadily(ctx context.Context, writer int, enqueued *atomic.Int64) {
	tick := time.NewTicker(heldEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		events := make([]replhub.Event, heldEvents)
		for j := range events {
			events[j] = user(fmt.Sprintf("%d-%d-%d", writer, i%100, j), strconv.FormatInt(time.Now().UnixNano(), 10))
		}
		if err := p.tryEnqueue(events...); err != nil {
			p.Error(err)
			return
		}
		enqueued.Add(heldEvents)
	}
}

// size is how large the outbox's table is, with its indexes, in bytes.
func (p *place) size() (bytes int64) {
	p.Helper()
	query := "SELECT pg_total_relation_size('replhub_outbox')"
	if p.Dialect != postgres.Dialect {
		query = "SELECT file_size FROM information_schema.innodb_sys_tablespaces WHERE name = CONCAT(DATABASE(), '/replhub_outbox')"
	}
	if err := p.db.QueryRowContext(p.Context(), query).Scan(&bytes); err != nil {
		p.Fatal(err)
	}
	return bytes
}

// heldDelays are the times from before an Enqueue to its event's publishing.
type heldDelays struct{ n, sum, longest atomic.Int64 }

func (d *heldDelays) published(events []replhub.Event) {
	now := time.Now().UnixNano()
	for _, ev := range events {
		if at, err := strconv.ParseInt(string(ev.Data), 10, 64); err == nil {
			d.sum.Add(now - at)
			d.longest.Store(max(d.longest.Load(), now-at))
		}
	}
	d.n.Add(int64(len(events)))
}

func (d *heldDelays) take() (mean, longest time.Duration) {
	return time.Duration(d.sum.Swap(0) / max(d.n.Swap(0), 1)).Round(100 * time.Microsecond), time.Duration(d.longest.Swap(0)).Round(time.Millisecond)
}
