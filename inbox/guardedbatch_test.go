package inbox_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// usualBatches are batches as they come from one publisher: versions and positions
// rise within each. Some batches come twice, some late, with a new delivery among
// them, some without versions, some are the rows of a snapshot.
func usualBatches(r *rand.Rand, n int) [][]*replhub.Delivery {
	seq := uint64(100)
	var all [][]*replhub.Delivery
	for len(all) < n {
		var batch []*replhub.Delivery
		rows, versions := r.IntN(4) == 0, r.IntN(6) > 0
		taken := map[string]bool{}
		for range 2 + r.IntN(12) {
			seq++
			d := user([]replhub.Op{replhub.Create, replhub.Update, replhub.Update, replhub.Delete}[r.IntN(4)], fmt.Sprintf("k%d", r.IntN(9)), seq)
			if versions {
				d.Version = int64(seq)
			}
			if rows {
				if d.Op == replhub.Delete || taken[d.Key] {
					continue
				}
				d.Row, d.Position.Seq = 1, seq-r.Uint64N(30)
				d.Version -= min(d.Version, r.Int64N(30))
			}
			taken[d.Key] = true
			batch = append(batch, d)
		}
		if len(batch) == 0 {
			continue
		}
		all = append(all, batch)
		if r.IntN(4) == 0 {
			seq++
			all = append(all, append(all[r.IntN(len(all))], user(replhub.Update, "k0", seq)))
		}
	}
	for i := range all {
		late := min(i+r.IntN(3), len(all)-1)
		all[i], all[late] = all[late], all[i]
	}
	return all
}

// Where the database decides on a batch by itself, rows, stamps and outcomes are
// what they are one by one.
func TestUsualBatchIsLikeOneByOne(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		single, many := newReplica(t, inbox.Config{Dialect: dialect}), newReplica(t, inbox.Config{Dialect: dialect})
		for n, batch := range usualBatches(rand.New(rand.NewPCG(5, 6)), 80) {
			want := make([]inbox.Outcome, len(batch))
			for i := range batch {
				var err error
				if want[i], err = single.inbox.Replicate(t.Context(), single.DB, batch[i], single.users); err != nil {
					t.Fatal(err)
				}
			}
			got, err := many.inbox.ReplicateBatch(t.Context(), many.DB, batch, many.users)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(superseded(batch, want), got); diff != "" {
				t.Fatalf("outcomes of batch %d of %d (-one by one +batch):\n%s", n, len(batch), diff)
			}
			if diff := cmp.Diff(single.rows(t), many.rows(t)); diff != "" {
				t.Fatalf("rows after batch %d (-one by one +batch):\n%s", n, diff)
			}
			if diff := cmp.Diff(single.stamps(t), many.stamps(t)); diff != "" {
				t.Fatalf("inbox after batch %d (-one by one +batch):\n%s", n, diff)
			}
		}
		if got, want := many.inbox.Stats().Tombstones, single.inbox.Stats().Tombstones; got > want || got == 0 {
			t.Errorf("counted %d tombstones, one by one %d", got, want)
		}
	})
}

// Instances that are given the same batches at the same time, in any order, with
// deletes among them: a row is there at the end exactly if its last change is none.
func TestUsualBatchesAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect, Retries: 50})
		const keys, rounds, workers = 20, 24, 6
		var batches [][]*replhub.Delivery
		want := map[string]string{}
		random := rand.New(rand.NewPCG(7, 8))
		for seq := uint64(0); seq < keys*rounds; seq += keys {
			var batch []*replhub.Delivery
			for k := range uint64(keys) {
				op := []replhub.Op{replhub.Update, replhub.Delete}[random.IntN(2)]
				d := user(op, fmt.Sprintf("k%d", k), 1+seq+k)
				d.Version = int64(1 + seq)
				batch = append(batch, d)
				want[d.Key] = d.ID
				if op == replhub.Delete {
					delete(want, d.Key)
				}
			}
			batches = append(batches, batch)
		}
		var wg sync.WaitGroup
		for w := range workers {
			mine := random.Perm(rounds)
			wg.Go(func() {
				for _, n := range mine {
					if n%3 == w%3 {
						if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, batches[n], r.users); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		if diff := cmp.Diff(want, r.rows(t)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// A batch stores every value as a single delivery does, in each column type.
func TestTypesInBatches(t *testing.T) {
	const apart = 10_000
	for _, d := range typedDatabases() {
		t.Run(d.name, func(t *testing.T) {
			write, read := d.open(t)
			d.create(t, write)
			in := inboxOn(t, d.dialect)
			if err := in.Migrate(t.Context(), write); err != nil {
				t.Fatal(err)
			}
			for n, c := range d.types {
				table, column := d.table(n)
				replica, err := in.NewTable(inbox.TableConfig{Table: table, Columns: []inbox.Column{{Name: column, Path: "v"}}})
				if err != nil {
					t.Fatal(err)
				}
				var batch []*replhub.Delivery
				for at, cell := range d.store(t, write, n) {
					if cell.refused != "" {
						continue
					}
					batch = append(batch, &replhub.Delivery{
						Entity: column, Op: replhub.Create, Key: strconv.Itoa(apart + len(nulls) + at),
						Data: []byte(`{"v":` + samples()[at].raw + `}`), Position: replhub.Position{Epoch: 1, Seq: uint64(at + 1)},
					})
				}
				if len(batch) < 2 {
					continue
				}
				if _, err := in.ReplicateBatch(t.Context(), write, batch, replica); err != nil {
					t.Errorf("%s: %v", c.column, err)
					continue
				}
				stored := d.read(t, read, n)
				for at, sample := range samples() {
					if one, many := stored[len(nulls)+at], stored[apart+len(nulls)+at]; one != many {
						t.Errorf("%s: %s became %+v by itself, and %+v in a batch", c.column, sample.label, one, many)
					}
				}
			}
		})
	}
}
