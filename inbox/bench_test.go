package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// way is one way of writing a delivery, beside others.
type way struct {
	name  string
	apply func(ctx context.Context, d *replhub.Delivery) error
}

const bareUpsert = "INSERT INTO users (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name"

// BenchmarkApply sets the inbox beside the bare upserts that it guards, each in a
// transaction of its own, on a PostgreSQL that waits for its disk. An op is one
// delivery in each way; what counts is a way's rate by that of the first.
func BenchmarkApply(b *testing.B) {
	guarded := func(r *replica) func(ctx context.Context, d *replhub.Delivery) error {
		return func(ctx context.Context, d *replhub.Delivery) error {
			_, err := r.inbox.Do(ctx, r.DB, d, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, bareUpsert, d.Key, d.ID)
				return err
			})
			return err
		}
	}
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d workers", workers), func(b *testing.B) {
			plain, byLock := newReplica(b, inbox.Config{}), newReplica(b, inbox.Config{Policy: inbox.ByPosition})
			one := newReplica(b, inbox.Config{})
			benchmark(b, workers, []way{
				{"bare", func(ctx context.Context, d *replhub.Delivery) error {
					tx, err := plain.BeginTx(ctx, nil)
					if err != nil {
						return err
					}
					defer tx.Rollback()
					if _, err := tx.ExecContext(ctx, bareUpsert, d.Key, d.ID); err != nil {
						return err
					}
					return tx.Commit()
				}},
				{"inbox", guarded(plain)},
				{"policy", guarded(byLock)},
				{"replicate", func(ctx context.Context, d *replhub.Delivery) error {
					_, err := one.inbox.Replicate(ctx, one.DB, d, one.users)
					return err
				}},
			})
		})
	}
}

// BenchmarkApplyPgx is the same through pgx itself.
func BenchmarkApplyPgx(b *testing.B) {
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d workers", workers), func(b *testing.B) {
			pool, err := pgxpool.New(b.Context(), sqltest.Postgres(b)+" pool_max_conns=8")
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			in, err := inbox.New(inbox.Config{})
			if err != nil {
				b.Fatal(err)
			}
			for _, statement := range []string{in.Schema().String(), "CREATE TABLE users (id varchar(64) PRIMARY KEY, name varchar(64))"} {
				if _, err := pool.Exec(b.Context(), statement); err != nil {
					b.Fatal(err)
				}
			}
			upsert := func(ctx context.Context, tx pgx.Tx, d *replhub.Delivery) error {
				_, err := tx.Exec(ctx, bareUpsert, d.Key, d.ID)
				return err
			}
			benchmark(b, workers, []way{
				{"bare", func(ctx context.Context, d *replhub.Delivery) error {
					return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return upsert(ctx, tx, d) })
				}},
				{"inbox", func(ctx context.Context, d *replhub.Delivery) error {
					return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
						_, err := in.Apply(ctx, database.Pgx(tx), d, func() error { return upsert(ctx, tx, d) })
						return err
					})
				}},
			})
		})
	}
}

// benchmark lets the ways take turns of a few hundred deliveries, so that what
// else the machine does meets all of them alike.
func benchmark(b *testing.B, workers int, ways []way) {
	b.Helper()
	const turn = 200
	took := make([]time.Duration, len(ways))
	seq := uint64(0)
	for done := 0; done < b.N; done += turn {
		n := min(turn, b.N-done)
		for i, w := range ways {
			began := time.Now()
			if err := work(b.Context(), workers, seq, n, w.apply); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(began)
		}
		seq += uint64(n)
	}
	for i, w := range ways {
		b.ReportMetric(float64(b.N)/took[i].Seconds(), w.name+"/s")
		if i > 0 {
			b.ReportMetric(took[0].Seconds()/took[i].Seconds(), w.name+"/bare")
		}
	}
}

// work applies n changes after seq, to 500 rows, by workers at once.
func work(ctx context.Context, workers int, seq uint64, n int, apply func(context.Context, *replhub.Delivery) error) error {
	var taken atomic.Int64
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for {
				i := taken.Add(1)
				if i > int64(n) {
					return nil
				}
				at := seq + uint64(i)
				err := apply(ctx, &replhub.Delivery{
					Entity: "user", Op: replhub.Update, Key: fmt.Sprintf("user-%d", at%500), ID: fmt.Sprintf("name %d", at),
					Data: []byte(`{"name":"somebody"}`), Origin: "accounts", Version: int64(at), Position: replhub.Position{Epoch: 1, Seq: at},
				})
				if err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
