package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// anyDeliveries are changes of a few rows, of all kinds: of two origins, with
// versions or without, deletes, rows of snapshots, late and repeated.
func anyDeliveries(r *rand.Rand, n int) []*replhub.Delivery {
	all := make([]*replhub.Delivery, n)
	for i := range all {
		all[i] = anyDelivery(r, uint64(i+1))
	}
	for i := range all {
		late := min(i+r.IntN(8), n-1)
		all[i], all[late] = all[late], all[i]
		if r.IntN(6) == 0 {
			all[i] = all[i-min(i, r.IntN(10))]
		}
	}
	return all
}

func anyDelivery(r *rand.Rand, seq uint64) *replhub.Delivery {
	d := user([]replhub.Op{replhub.Create, replhub.Update, replhub.Update, replhub.Delete}[r.IntN(4)], fmt.Sprintf("k%d", r.IntN(6)), seq)
	d.Origin = []string{"accounts", "accounts", "billing"}[r.IntN(3)]
	if r.IntN(2) == 0 {
		d.Version = 1 + r.Int64N(int64(seq)+1)
	}
	d.Time = time.Unix(int64(r.IntN(20)), 0)
	if d.Op != replhub.Delete && r.IntN(4) == 0 {
		d.Row = 1
		d.Position.Seq -= min(seq-1, r.Uint64N(3)) // the place of an event
	}
	return d
}

// What a batch comes to is what its deliveries come to one by one: the rows, what
// the inbox knows of them, and the outcomes, but that a change is stale which a
// later one of the batch wins over.
func TestBatchIsLikeOneByOne(t *testing.T) {
	policies := map[string]inbox.Policy{"default": nil, "position": inbox.ByPosition, "time": inbox.ByTime, "version": inbox.ByVersion}
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		for _, name := range slices.Sorted(maps.Keys(policies)) {
			t.Run(name, func(t *testing.T) {
				single, many := newReplica(t, inbox.Config{Dialect: dialect, Policy: policies[name]}), newReplica(t, inbox.Config{Dialect: dialect, Policy: policies[name]})
				r := rand.New(rand.NewPCG(1, 2))
				for left := anyDeliveries(r, times(300, 600)); len(left) > 0; {
					batch := left[:min(len(left), 1+r.IntN(20))]
					left = left[len(batch):]
					want := make([]inbox.Outcome, len(batch))
					for n := range batch {
						var err error
						if want[n], err = single.inbox.Replicate(t.Context(), single.DB, batch[n], single.users); err != nil {
							t.Fatal(err)
						}
					}
					got, err := many.inbox.ReplicateBatch(t.Context(), many.DB, batch, many.users)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(superseded(batch, want), got); diff != "" {
						t.Fatalf("outcomes of a batch of %d (-one by one +batch):\n%s", len(batch), diff)
					}
				}
				if diff := cmp.Diff(single.rows(t), many.rows(t)); diff != "" {
					t.Errorf("rows (-one by one +batch):\n%s", diff)
				}
				if diff := cmp.Diff(single.stamps(t), many.stamps(t)); diff != "" {
					t.Errorf("inbox (-one by one +batch):\n%s", diff)
				}
			})
		}
	})
}

// superseded are outcomes one by one, with those of a batch that are applied and
// have a later one of their key behind them made stale.
func superseded(batch []*replhub.Delivery, outcomes []inbox.Outcome) []inbox.Outcome {
	last := map[string]bool{}
	outcomes = slices.Clone(outcomes)
	for n := len(outcomes) - 1; n >= 0; n-- {
		if outcomes[n] != inbox.Applied {
			continue
		}
		if last[batch[n].Key] {
			outcomes[n] = inbox.Stale
		}
		last[batch[n].Key] = true
	}
	return outcomes
}

// stamps are the inbox's rows.
func (r *replica) stamps(t *testing.T) []string {
	t.Helper()
	rows, err := r.QueryContext(t.Context(), "SELECT entity, entity_key, epoch, seq, origin, version, event_at, deleted FROM replhub_inbox ORDER BY entity_key")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var entity, origin string
		var key []byte
		var epoch, seq, version, at int64
		var deleted bool
		if err := rows.Scan(&entity, &key, &epoch, &seq, &origin, &version, &at, &deleted); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(entity, string(key), epoch, seq, origin, version, at, deleted))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Instances apply overlapping batches at the same time, each delivery by two of
// them: no key ends behind where it should, and nobody waits for ever.
func TestBatchesAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect, Retries: 50})
		const keys, changes, workers = 40, 600, 6
		batches := make([][][]*replhub.Delivery, workers)
		random := rand.New(rand.NewPCG(3, 4))
		for w := range workers {
			var all []*replhub.Delivery
			for seq := uint64(1); seq <= changes; seq++ {
				if int(seq)%3 == w%3 {
					d := user(replhub.Update, fmt.Sprintf("k%d", seq%keys), seq)
					d.Version = int64(seq)
					all = append(all, d)
				}
			}
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			batches[w] = slices.Collect(slices.Chunk(all, 1+random.IntN(40)))
		}
		var wg sync.WaitGroup
		for _, mine := range batches {
			wg.Go(func() {
				for _, batch := range mine {
					if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, batch, r.users); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		for seq := uint64(changes - keys + 1); seq <= changes; seq++ {
			if got, want := r.rows(t)[fmt.Sprintf("k%d", seq%keys)], fmt.Sprintf("e%d", seq); got != want {
				t.Errorf("key k%d is %s, want %s", seq%keys, got, want)
			}
		}
	})
}

// A batch with one delivery that cannot be applied leaves nothing behind.
func TestBatchFailsWhole(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		bad := user(replhub.Update, "b", 2)
		bad.Data = []byte(`{"name":"\ud800"}`)
		_, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{user(replhub.Update, "a", 1), bad, user(replhub.Update, "c", 3)}, r.users)
		if err == nil {
			t.Error("no error")
		}
		if got := r.rows(t); len(got) > 0 {
			t.Errorf("there is %v", got)
		}
		if got := r.stamps(t); len(got) > 0 {
			t.Errorf("the inbox has %v", got)
		}
		if got := r.inbox.Stats(); got.Applied != 0 {
			t.Errorf("counted %+v", got)
		}
	})
}

// In a batch too, a row of another key is never replaced because the two have a
// unique column in common.
func TestBatchKeepsOtherRows(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		r.exec(t, "CREATE UNIQUE INDEX one_name ON users (name)")
		same := func(key string, seq uint64) *replhub.Delivery {
			d := user(replhub.Update, key, seq)
			d.Data = []byte(`{"name":"same"}`)
			return d
		}
		if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{same("a", 1), user(replhub.Update, "x", 2)}, r.users); err != nil {
			t.Fatal(err)
		}
		if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{same("b", 3), user(replhub.Update, "x", 4)}, r.users); err == nil {
			t.Error("the second of the same name was taken")
		}
		if diff := cmp.Diff(map[string]string{"a": "same", "x": "e2"}, r.rows(t)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

func TestTableHandler(t *testing.T) {
	r := newReplica(t, inbox.Config{Dialect: database.SQLite})
	handler := r.users.Handler(r.DB)
	for _, batch := range [][]*replhub.Delivery{
		{user(replhub.Create, "a", 1)},
		{user(replhub.Create, "b", 2), user(replhub.Update, "a", 3), user(replhub.Delete, "b", 4)},
	} {
		if err := handler.HandleBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": "e3"}, r.rows(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := r.inbox.Stats(); got.Applied != 3 || got.Stale != 1 || got.Tombstones != 1 {
		t.Errorf("counted %+v", got)
	}
}

// BenchmarkBatch sets batches beside the bare upserts of the same rows, many in a
// statement and a statement in a transaction, on a database that waits for its
// disk, and beside Replicate one by one.
func BenchmarkBatch(b *testing.B) {
	for _, dialect := range []database.Dialect{database.Postgres, database.MariaDB, database.SQLite} {
		for _, fresh := range []bool{false, true} {
			for _, workers := range []int{1, 8} {
				for _, size := range []int{100, 500} {
					kind := "changes"
					if fresh {
						kind = "new rows"
					}
					b.Run(fmt.Sprintf("%s/%s/%d workers of %d", dialect, kind, workers, size), func(b *testing.B) { benchmarkBatch(b, dialect, fresh, workers, size) })
				}
			}
		}
	}
}

func benchmarkBatch(b *testing.B, dialect database.Dialect, fresh bool, workers, size int) {
	plain, many, single := newReplica(b, inbox.Config{Dialect: dialect}), newReplica(b, inbox.Config{Dialect: dialect, Retries: 100}), newReplica(b, inbox.Config{Dialect: dialect, Retries: 100})
	ways := []struct {
		name  string
		apply func(ctx context.Context, batch []*replhub.Delivery) error
	}{
		{"bare", func(ctx context.Context, batch []*replhub.Delivery) error {
			return bareBatch(ctx, plain, dialect, batch)
		}},
		{"batch", func(ctx context.Context, batch []*replhub.Delivery) error {
			_, err := many.inbox.ReplicateBatch(ctx, many.DB, batch, many.users)
			return err
		}},
		{"single", func(ctx context.Context, batch []*replhub.Delivery) error {
			for _, d := range batch[:size/20] {
				if _, err := single.inbox.Replicate(ctx, single.DB, d, single.users); err != nil {
					return err
				}
			}
			return nil
		}},
	}
	took := make([]time.Duration, len(ways))
	seq := uint64(0)
	rows := 0
	for b.Loop() {
		batches := make([][]*replhub.Delivery, workers)
		for w := range batches {
			for range size {
				seq++
				key := seq
				if !fresh {
					key = seq % 20_000
				}
				d := user(replhub.Update, fmt.Sprintf("user-%08d", key), seq)
				d.Version = int64(seq)
				batches[w] = append(batches[w], d)
			}
		}
		rows += workers * size
		for n, way := range ways {
			began := time.Now()
			var wg sync.WaitGroup
			for _, batch := range batches {
				wg.Go(func() {
					if err := way.apply(b.Context(), batch); err != nil {
						b.Error(way.name, err)
					}
				})
			}
			wg.Wait()
			took[n] += time.Since(began)
		}
	}
	rate := func(n, of int) float64 { return float64(of) / took[n].Seconds() }
	b.ReportMetric(rate(0, rows), "bare/s")
	b.ReportMetric(rate(1, rows), "batch/s")
	b.ReportMetric(rate(2, rows/20), "single/s")
	b.ReportMetric(rate(1, rows)/rate(0, rows), "batch/bare")
	b.ReportMetric(rate(1, rows)/rate(2, rows/20), "batch/single")
}

func bareBatch(ctx context.Context, r *replica, dialect database.Dialect, batch []*replhub.Delivery) error {
	conflict := " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
	if dialect == database.MariaDB {
		conflict = " ON DUPLICATE KEY UPDATE name = VALUES(name)"
	}
	statement, args := "INSERT INTO users (id, name) VALUES ", make([]any, 0, 2*len(batch))
	for n, d := range batch {
		if n > 0 {
			statement += ", "
		}
		statement += "(" + dialect.Parameters(2*n+1, 2) + ")"
		args = append(args, d.Key, d.ID)
	}
	tx, err := r.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, statement+conflict, args...); err != nil {
		return err
	}
	return tx.Commit()
}
