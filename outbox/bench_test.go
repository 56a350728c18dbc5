package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

const (
	benchWriters = 8
	benchRows    = 20_000
	benchBatch   = 256
)

var benchPayload = []byte(`{"name":"Ada Lovelace","email":"ada@example.org","address":{"city":"London","street":"St James's Square 12"},"tenant":"acme"}`)

// BenchmarkEnqueue sets Enqueue beside the same transactions with a bare insert.
func BenchmarkEnqueue(b *testing.B) {
	for _, d := range []dialect{postgres, mariadb, sqlite} {
		b.Run(d.String(), func(b *testing.B) {
			bare, box := newPlace(b, d, outbox.Config{}), newPlace(b, d, outbox.Config{})
			alternate(b, 2000,
				turn{name: "bare", run: func(from, n int) { bare.writeAll(benchWriters, from, n, bare.insertBare) }},
				turn{name: "enqueue", run: func(from, n int) { box.writeAll(benchWriters, from, n, box.enqueueNumber) }})
		})
	}
}

// BenchmarkRelay drains rows that are there, beside bare reads and deletes in
// batches of the same size. The relay is started for each turn.
func BenchmarkRelay(b *testing.B) {
	for _, d := range []dialect{postgres, mariadb, sqlite} {
		b.Run(d.String(), func(b *testing.B) {
			bare, box := newPlace(b, d, outbox.Config{}), newPlace(b, d, outbox.Config{})
			box.bus.slow()
			alternate(b, benchRows,
				turn{name: "bare", before: bare.fill, run: func(int, int) {
					for bare.deleteBare() > 0 {
					}
				}},
				turn{name: "relay", before: box.fill, run: func(_, n int) {
					r, stop := box.run(box.bus.client)
					box.published(r, n)
					stop()
				}})
		})
	}
}

// BenchmarkThrough: writers and relay at the same time, from the first write to
// the empty table, beside bare inserts and deletes at the same time.
func BenchmarkThrough(b *testing.B) {
	for _, d := range []dialect{postgres, mariadb, sqlite} {
		b.Run(d.String(), func(b *testing.B) {
			bare, box := newPlace(b, d, outbox.Config{}), newPlace(b, d, outbox.Config{})
			box.bus.slow()
			box.run(box.bus.client, asItComes)
			alternate(b, 4000,
				turn{name: "bare", run: bare.insertAndDelete},
				turn{name: "outbox", run: func(from, n int) {
					box.writeAll(benchWriters, from, n, box.enqueueNumber)
					box.emptied()
				}})
		})
	}
}

// insertAndDelete is the least that a table needs which is written and emptied at
// the same time.
func (p *place) insertAndDelete(from, n int) {
	written := make(chan struct{})
	var deleting sync.WaitGroup
	deleting.Go(func() {
		for p.deleteBare() > 0 || !closed(written) {
		}
	})
	p.writeAll(benchWriters, from, n, p.insertBare)
	close(written)
	deleting.Wait()
	for p.deleteBare() > 0 { // what was committed while it looked
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-time.After(time.Millisecond):
		return false
	}
}

// turn is one way of writing n events, the first of which has a number. What is
// done before it does not count.
type turn struct {
	name   string
	run    func(from, n int)
	before func(n int)
}

// alternate lets the ways take turns of size events, so that what else the machine
// does meets all of them alike. It reports each way's rate, and what it is of the
// first one's, round by round: the median, the least and the greatest.
func alternate(b *testing.B, size int, ways ...turn) {
	b.Helper()
	rates := make([][]float64, len(ways))
	b.ResetTimer()
	for done := 0; done < b.N; done += size {
		n := min(size, b.N-done)
		for w, way := range ways {
			if way.before != nil {
				way.before(n)
			}
			began := time.Now()
			way.run(done, n)
			rates[w] = append(rates[w], float64(n)/time.Since(began).Seconds())
		}
	}
	for w, way := range ways {
		ratios := make([]float64, len(rates[w]))
		for round := range ratios {
			ratios[round] = rates[w][round] / rates[0][round]
		}
		slices.Sort(ratios)
		slices.Sort(rates[w])
		b.ReportMetric(rates[w][len(rates[w])/2], way.name+"/s")
		if w > 0 {
			b.ReportMetric(ratios[len(ratios)/2], way.name+"/"+ways[0].name)
			b.ReportMetric(ratios[0], way.name+"-least")
			b.ReportMetric(ratios[len(ratios)-1], way.name+"-greatest")
		}
	}
}

// writeAll runs n transactions by several writers.
func (p *place) writeAll(writers, from, n int, write func(context.Context, *sql.Tx, int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				p.retry(func() error {
					tx, err := p.db.BeginTx(p.Context(), nil)
					if err != nil {
						return err
					}
					defer tx.Rollback()
					if err := write(p.Context(), tx, from+int(i)); err != nil {
						return err
					}
					return tx.Commit()
				})
			}
		})
	}
	all.Wait()
}

// BenchmarkNotify is what commits cost on PostgreSQL, with many connections: a bare
// insert, Enqueue, and Enqueue with a NOTIFY in its transaction, which is how a
// relay would hear of it at once.
func BenchmarkNotify(b *testing.B) {
	for _, connections := range []int{8, 64} {
		b.Run(fmt.Sprintf("%d connections", connections), func(b *testing.B) {
			bare, box, notify := newPlace(b, postgres, outbox.Config{}), newPlace(b, postgres, outbox.Config{}), newPlace(b, postgres, outbox.Config{})
			var ways []turn
			for _, w := range []struct {
				name  string
				p     *place
				write func(context.Context, *sql.Tx, int) error
			}{
				{"bare", bare, bare.insertBare},
				{"enqueue", box, box.enqueueNumber},
				{"notify", notify, func(ctx context.Context, tx *sql.Tx, i int) error {
					if err := notify.enqueueNumber(ctx, tx, i); err != nil {
						return err
					}
					_, err := tx.ExecContext(ctx, "NOTIFY replhub_outbox")
					return err
				}},
			} {
				w.p.db.SetMaxIdleConns(connections)
				ways = append(ways, turn{name: w.name, run: func(from, n int) { w.p.writeAll(connections, from, n, w.write) }})
			}
			alternate(b, 4000, ways...)
		})
	}
}

func (p *place) enqueueNumber(ctx context.Context, tx *sql.Tx, i int) error {
	return p.box.Enqueue(ctx, tx, replhub.Event{Entity: "user", Op: replhub.Update, Key: strconv.Itoa(i % 5000), Data: benchPayload})
}

const bareColumns = "shard, entity, op, entity_key, version, event_id, content_type, header, payload, enqueued_at"

func (p *place) insertBare(ctx context.Context, tx *sql.Tx, i int) error {
	values := "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
	if p.Dialect == database.Postgres {
		values = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10"
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO replhub_outbox (%s) VALUES (%s)", bareColumns, values),
		i%16, "user", "update", strconv.Itoa(i%5000), 1, strconv.Itoa(i), "", "", benchPayload, i)
	return err
}

// published waits until a relay has published and deleted n rows. To count those
// that are left would take the database's time from the relay.
func (p *place) published(r *outbox.Relay, n int) {
	p.Helper()
	eventually(p, "what was written to be published", func() error {
		if got := outbox.Published(r); got < uint64(n) {
			return fmt.Errorf("%d so far", got)
		}
		return nil
	})
	p.emptied()
}

// fill writes rows that the relay and the bare deletes find alike.
func (p *place) fill(n int) {
	p.Helper()
	tx := p.begin()
	for i := range n {
		if err := p.insertBare(p.Context(), tx, p.rowNumber(i)); err != nil {
			p.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		p.Fatal(err)
	}
}

// rowNumber makes ids that no earlier run of the benchmark had.
func (p *place) rowNumber(i int) int { return int(time.Now().UnixNano()%1e12)*16 + i%16 }

// deleteBare reads a batch and deletes it, as the least that a relay must do.
func (p *place) deleteBare() int {
	tx := p.begin()
	ids := p.readBare(tx)
	if len(ids) > 0 {
		if _, err := tx.ExecContext(p.Context(), "DELETE FROM replhub_outbox WHERE id IN ("+strings.Join(ids, ",")+")"); err != nil {
			p.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		p.Fatal(err)
	}
	return len(ids)
}

func (p *place) readBare(tx *sql.Tx) (ids []string) {
	rows, err := tx.QueryContext(p.Context(), fmt.Sprintf("SELECT id, %s FROM replhub_outbox ORDER BY id LIMIT %d", bareColumns, benchBatch))
	if err != nil {
		p.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var skipped [9]any
		var payload []byte
		if err := rows.Scan(&id, &skipped[0], &skipped[1], &skipped[2], &skipped[3], &skipped[4], &skipped[5], &skipped[6], &skipped[7], &payload, &skipped[8]); err != nil {
			p.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		p.Fatal(err)
	}
	return ids
}
