package outbox_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/outbox"
)

// BenchmarkDelay is the time from a commit to the publish of its event, by a
// relay as it comes: beside the writer or in another process, for a commit now
// and then and for eight writers without a pause.
func BenchmarkDelay(b *testing.B) {
	for _, d := range []dialect{postgres, mariadb, sqlite} {
		for _, beside := range []bool{true, false} {
			name := map[bool]string{true: "/beside", false: "/elsewhere"}[beside]
			b.Run(d.String()+name+"/idle", func(b *testing.B) { measureDelay(b, d, beside, 1, 60*time.Millisecond) })
			b.Run(d.String()+name+"/load", func(b *testing.B) { measureDelay(b, d, beside, benchWriters, 0) })
		}
	}
}

func measureDelay(b *testing.B, d dialect, beside bool, writers int, pause time.Duration) {
	b.Helper()
	p := newPlace(b, d, outbox.Config{})
	writer := p.box
	if !beside {
		writer = p.outbox(outbox.Config{})
	}
	t := &delays{began: map[string]time.Time{}}
	p.run(publisherFunc(t.publish), asItComes)
	b.ResetTimer()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range b.N / writers {
				if pause > 0 {
					<-time.After(pause + rand.N(pause))
				}
				key := strconv.Itoa(w) + "-" + strconv.Itoa(i)
				p.retry(func() error {
					tx, err := p.db.BeginTx(p.Context(), nil)
					if err != nil {
						return err
					}
					defer tx.Rollback()
					if err := writer.Enqueue(p.Context(), tx, user(key, `{"id":"x"}`)); err != nil {
						return err
					}
					return t.commit(tx, key)
				})
			}
		})
	}
	all.Wait()
	p.emptied()
	t.report(b)
}

// asItComes takes the test's haste out of a relay's configuration.
func asItComes(cfg *outbox.RelayConfig) {
	cfg.Poll, cfg.MinBackoff, cfg.MaxBackoff, cfg.Lease = 0, 0, 0, 0
}

// delays notes when each event was committed and published.
type delays struct {
	mu    sync.Mutex // guards the rest
	began map[string]time.Time
	took  []time.Duration
}

// commit counts from the moment at which the commit was asked for: what it takes
// is a part of every figure.
func (t *delays) commit(tx *sql.Tx, key string) error {
	t.mu.Lock()
	t.began[key] = time.Now()
	t.mu.Unlock()
	return tx.Commit()
}

func (t *delays) publish(_ context.Context, events []replhub.Event) ([]replhub.Ack, error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ev := range events {
		t.took = append(t.took, now.Sub(t.began[ev.Key]))
	}
	return make([]replhub.Ack, len(events)), nil
}

func (t *delays) report(b *testing.B) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.took)
	if len(t.took) == 0 {
		return
	}
	at := func(part int) float64 { return t.took[min(len(t.took)*part/100, len(t.took)-1)].Seconds() * 1000 }
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(99), "p99-ms")
	b.ReportMetric(float64(len(t.took))/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLook is a look at an empty outbox, as an idle relay makes them.
func BenchmarkLook(b *testing.B) {
	for _, d := range []dialect{postgres, mariadb, sqlite} {
		b.Run(d.String(), func(b *testing.B) {
			p := newPlace(b, d, outbox.Config{})
			r, err := p.box.NewRelay(outbox.RelayConfig{DB: p.db, Publisher: p.bus.client})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := outbox.Look(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
