package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// A batch looks its keys up, in tables however small, and waits for no row of another
// key that a transaction has locked.
func TestBatchWaitsForNoOtherKey(t *testing.T) {
	on(t, func(t *testing.T, dialect database.Dialect) {
		for _, policy := range []inbox.Policy{nil, inbox.ByPosition} {
			r := newReplica(t, inbox.Config{Dialect: dialect, Policy: policy})
			made, next := []*replhub.Delivery{user(replhub.Create, "held", 1)}, []*replhub.Delivery{user(replhub.Delete, "nobody", 3), user(replhub.Create, "fresh", 3)}
			for n := range 40 { // nearly all that there are: a list of them is read as a whole
				op := []replhub.Op{replhub.Update, replhub.Delete}[n%2]
				made, next = append(made, user(replhub.Create, fmt.Sprint(n), 1)), append(next, user(op, fmt.Sprint(n), 3))
			}
			r.allApplied(t, made)
			holder := r.hold(t, "held", "new")
			r.allApplied(t, next)
			if err := holder.Rollback(); err != nil {
				t.Error(err)
			}
		}
	}, database.Postgres, database.MariaDB)
}

// A batch's delete finds the row that another transaction commits while the batch
// waits for it.
func TestDeleteOfARowThatIsCommittedMeanwhile(t *testing.T) {
	r := newReplica(t, inbox.Config{})
	holder := r.hold(t, "k")
	done := make(chan error, 1)
	go func() {
		_, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{user(replhub.Delete, "k", 3), user(replhub.Create, "other", 3)}, r.users)
		done <- err
	}()
	for r.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0 {
		<-time.After(time.Millisecond)
	}
	if err := holder.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !maps.Equal(r.rows(t), map[string]string{"other": "e3"}) {
		t.Errorf("%v, users %v", err, r.rows(t))
	}
}

// On SQLite the batches of a process wait for each other by themselves, whatever the
// connections do about a file that is locked.
func TestBatchesOnSQLiteTakeTurns(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	r := replicaOn(t, db, inbox.Config{Dialect: database.SQLite, Retries: -1})
	var group errgroup.Group
	for w := range 4 {
		group.Go(func() error {
			for n := range 25 {
				batch := []*replhub.Delivery{user(replhub.Create, fmt.Sprint(w, n), 1), user(replhub.Create, fmt.Sprint(w, n, "b"), 1)}
				if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, batch, r.users); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil || len(r.rows(t)) != 200 {
		t.Errorf("%v, %d rows, want 200", err, len(r.rows(t)))
	}
}

// allApplied applies a batch, within two seconds.
func (r *replica) allApplied(t *testing.T, batch []*replhub.Delivery) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	outcomes, err := r.inbox.ReplicateBatch(ctx, r.DB, batch, r.users)
	if err != nil || slices.ContainsFunc(outcomes, func(o inbox.Outcome) bool { return o != inbox.Applied }) {
		t.Errorf("%v, %v", outcomes, err)
	}
}

// hold applies changes of keys in a transaction that stays open.
func (r *replica) hold(t *testing.T, keys ...string) *sql.Tx {
	t.Helper()
	tx, err := r.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	for _, key := range keys {
		d := user(replhub.Update, key, 2)
		_, err := r.inbox.Apply(t.Context(), tx, d, func() error { return r.users.Apply(t.Context(), tx, d) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return tx
}
