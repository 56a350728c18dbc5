package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// history is n changes of a few keys, in the order in which they were made. With
// versions, ingest stored some of them in another order than that.
func history(rng *rand.Rand, n int, versions bool) []*replhub.Delivery {
	const keys = 6
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if versions {
		for i := 1; i < n; i += 3 {
			j := max(0, i-rng.IntN(12))
			order[i], order[j] = order[j], order[i]
		}
	}
	made := map[string]int64{}
	there := map[string]bool{}
	all := make([]*replhub.Delivery, n)
	for i := range all {
		key := fmt.Sprintf("k%d", rng.IntN(keys))
		op := replhub.Create
		if there[key] {
			op = []replhub.Op{replhub.Update, replhub.Update, replhub.Delete}[rng.IntN(3)]
		}
		there[key] = op != replhub.Delete
		made[key]++
		all[i] = user(op, key, uint64(order[i])+1)
		if versions {
			all[i].Version = made[key]
		}
	}
	return all
}

// final is what a history leaves.
func final(made []*replhub.Delivery) map[string]string {
	users := map[string]string{}
	for _, d := range made {
		if d.Op == replhub.Delete {
			delete(users, d.Key)
		} else {
			users[d.Key] = d.ID
		}
	}
	return users
}

// delivered is made as an unordered queue may hand it out: everything at least
// once, some of it more often, in any order.
func delivered(rng *rand.Rand, made []*replhub.Delivery) []*replhub.Delivery {
	all := slices.Clone(made)
	for range len(made) / 2 {
		all = append(all, made[rng.IntN(len(made))])
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// check says what is wrong with a replica to which made was delivered.
func check(t *testing.T, r *replica, made []*replhub.Delivery) error {
	var faults []error
	if got, want := r.rows(t), final(made); !maps.Equal(got, want) {
		faults = append(faults, fmt.Errorf("users %v, want %v", got, want))
	}
	rank := map[string]int{} // by event id
	for i, d := range made {
		rank[d.ID] = i
	}
	rows, err := r.QueryContext(t.Context(), "SELECT user_id, name FROM effects ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	last := map[string]int{}
	for rows.Next() {
		var key, id string
		if err := rows.Scan(&key, &id); err != nil {
			t.Fatal(err)
		}
		if before, ok := last[key]; ok && before >= rank[id] {
			faults = append(faults, fmt.Errorf("effect of change %d of %s after that of %d", rank[id], key, before))
		}
		last[key] = rank[id]
	}
	return errors.Join(append(faults, rows.Err())...)
}

var errCrash = errors.New("crashed")

// applier is one way of applying a delivery; crash makes it end after the
// effect, before the commit.
type applier func(ctx context.Context, r *replica, d *replhub.Delivery, crash bool) error

func guarded(ctx context.Context, r *replica, d *replhub.Delivery, crash bool) error {
	_, err := r.inbox.Do(ctx, r.DB, d, func(ctx context.Context, tx *sql.Tx) error {
		err := r.effect(ctx, tx, d)
		if err == nil && crash {
			err = errCrash
		}
		return err
	})
	return err
}

// unguarded is the same without the inbox.
func unguarded(ctx context.Context, r *replica, d *replhub.Delivery, crash bool) error {
	tx, err := r.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := r.effect(ctx, tx, d); err != nil {
		return err
	}
	if crash {
		return errCrash
	}
	return tx.Commit()
}

// deliver hands all out to workers. A delivery that crashes is delivered again.
func deliver(ctx context.Context, rng *rand.Rand, r *replica, apply applier, workers int, all []*replhub.Delivery) error {
	crashes := make(map[*replhub.Delivery]bool, len(all)/8)
	for range len(all) / 8 {
		crashes[all[rng.IntN(len(all))]] = true
	}
	var mu sync.Mutex // guards all and crashes
	next := func() (d *replhub.Delivery, crash bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(all) == 0 {
			return nil, false
		}
		d, all = all[0], all[1:]
		if crash = crashes[d]; crash {
			delete(crashes, d)
			all = append(all, d)
		}
		return d, crash
	}
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for {
				d, crash := next()
				if d == nil {
					return nil
				}
				if err := apply(ctx, r, d, crash); err != nil && !errors.Is(err, errCrash) {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// Whatever is delivered twice, out of order, at once, or crashes: the replica is
// what the source's history leaves, each change had its effect at most once, and
// none after a newer one of its key.
func TestConverges(t *testing.T) {
	policies := map[string]struct {
		policy   inbox.Policy
		versions bool
	}{
		"position":          {nil, false},
		"version":           {nil, true},
		"position, by lock": {inbox.Newest, false},
		"version, by lock":  {inbox.ByVersion, true},
	}
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		for name, p := range policies {
			for _, workers := range []int{1, 8} {
				if workers == 1 && p.policy != nil {
					continue // one worker shows what order alone does; the rest is the same
				}
				t.Run(fmt.Sprintf("%s, %d workers", name, workers), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(7, uint64(workers)))
					r := newReplica(t, inbox.Config{Dialect: dialect, Policy: p.policy})
					made := history(rng, 120, p.versions)
					all := delivered(rng, made)
					if err := deliver(t.Context(), rng, r, guarded, workers, all); err != nil {
						t.Fatal(err)
					}
					if err := check(t, r, made); err != nil {
						t.Error(err)
					}
					stats := r.inbox.Stats()
					if n := r.count(t, "SELECT count(*) FROM effects"); uint64(n) != stats.Applied {
						t.Errorf("%d effects, %+v", n, stats)
					}
					if stats.Duplicate+stats.Stale == 0 || stats.Tombstones == 0 {
						t.Errorf("nothing was put to the test: %+v", stats)
					}
					if n := r.count(t, "SELECT count(*) FROM replhub_inbox"); n != 6 {
						t.Errorf("%d rows in the inbox for 6 keys", n)
					}
				})
			}
		}
	})
}

// The same in one statement for both tables. What an effect leaves in the log,
// a trigger does here; deletes have no name to leave.
func TestReplicateConverges(t *testing.T) {
	replicate := func(ctx context.Context, r *replica, d *replhub.Delivery, _ bool) error {
		_, err := r.inbox.Replicate(ctx, r.DB, d, r.users)
		return err
	}
	for _, policy := range []inbox.Policy{nil, inbox.Newest} {
		for _, versions := range []bool{false, true} {
			t.Run(fmt.Sprintf("default %v, versions %v", policy == nil, versions), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(9, 9))
				r := newReplica(t, inbox.Config{Policy: policy})
				r.exec(t, `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
					$$ BEGIN INSERT INTO effects (user_id, name) VALUES (NEW.id, NEW.name); RETURN NEW; END $$`)
				r.exec(t, "CREATE TRIGGER note AFTER INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note()")
				made := history(rng, 400, versions)
				all := delivered(rng, made)
				if err := deliver(t.Context(), rng, r, replicate, 8, all); err != nil {
					t.Fatal(err)
				}
				if err := check(t, r, made); err != nil {
					t.Error(err)
				}
				stats := r.inbox.Stats()
				if n := r.count(t, "SELECT count(*) FROM effects"); uint64(n) != stats.Applied-stats.Tombstones {
					t.Errorf("%d effects, %+v", n, stats)
				}
				if stats.Duplicate == 0 || stats.Stale == 0 || stats.Tombstones == 0 {
					t.Errorf("nothing was put to the test: %+v", stats)
				}
			})
		}
	}
}

// What cannot be written is not applied, in one statement either.
func TestReplicateFails(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		d := user(replhub.Create, "k", 1)
		data := d.Data
		for _, payload := range []string{"<xml>", `{"name":"` + strings.Repeat("x", 65) + `"}`} {
			if dialect == database.SQLite && payload[0] == '{' {
				continue // it knows no longest text
			}
			d.Data = []byte(payload)
			if _, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users); err == nil {
				t.Errorf("%s was taken", payload)
			}
		}
		d.Data = data
		for _, want := range []inbox.Outcome{inbox.Applied, inbox.Duplicate} {
			if outcome, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users); err != nil || outcome != want {
				t.Errorf("got %v, %v, want %v", outcome, err, want)
			}
		}
		d.Key = ""
		if _, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users); !errors.Is(err, inbox.ErrNoKey) {
			t.Errorf("no key: %v", err)
		}
	})
}

// The check sees what the inbox is for: without it, it fails.
func TestUnguardedDoesNotConverge(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		rng := rand.New(rand.NewPCG(7, 1))
		r := newReplica(t, inbox.Config{Dialect: dialect})
		made := history(rng, 120, false)
		if err := deliver(t.Context(), rng, r, unguarded, 1, delivered(rng, made)); err != nil {
			t.Fatal(err)
		}
		if err := check(t, r, made); err == nil {
			t.Error("no fault was found without the inbox")
		}
	})
}
