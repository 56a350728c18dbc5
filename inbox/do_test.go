package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// Two transactions that lock rows crosswise: the database gives one up, which is
// made again.
func TestDeadlockIsRetried(t *testing.T) {
	on(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		for _, key := range []string{"a", "b"} {
			r.mustDo(t, user(replhub.Create, key, 1), inbox.Applied)
		}
		var inside sync.WaitGroup // both effects have begun, each with its row locked
		inside.Add(2)
		var first [2]atomic.Bool
		group, ctx := errgroup.WithContext(t.Context())
		for n, key := range []string{"a", "b"} {
			group.Go(func() error {
				d := user(replhub.Update, key, uint64(2+n))
				outcome, err := r.inbox.Do(ctx, r.DB, d, func(ctx context.Context, tx *sql.Tx) error {
					if err := r.effect(ctx, tx, d); err != nil {
						return err
					}
					if first[n].CompareAndSwap(false, true) {
						inside.Done()
						inside.Wait()
					}
					_, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE users SET name = '%s' WHERE id = '%s'", d.ID, []string{"b", "a"}[n]))
					return err
				})
				if err == nil && outcome != inbox.Applied {
					err = fmt.Errorf("%s: %v", key, outcome)
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if stats := r.inbox.Stats(); stats.Applied != 4 || stats.Retries == 0 {
			t.Errorf("counted %+v", stats)
		}
		if n := r.count(t, "SELECT count(*) FROM effects"); n != 4 {
			t.Errorf("%d effects of 4", n)
		}
	}, database.Postgres, database.MariaDB)
}

// Under repeatable read, a row that another changed meanwhile ends the
// transaction, which is made again.
func TestSerializationFailureIsRetried(t *testing.T) {
	r := newReplica(t, inbox.Config{})
	r.exec(t, "ALTER DATABASE "+r.text(t, "SELECT current_database()")+" SET default_transaction_isolation = 'repeatable read'")
	r.SetMaxIdleConns(0) // new connections take the setting
	r.mustDo(t, user(replhub.Create, "k", 1), inbox.Applied)
	tx, err := r.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	before := user(replhub.Update, "k", 2)
	if _, err := r.inbox.Apply(t.Context(), tx, before, func() error { return r.effect(t.Context(), tx, before) }); err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	group.Go(func() error {
		outcome, err := r.do(t.Context(), user(replhub.Update, "k", 3))
		if err == nil && outcome != inbox.Applied {
			err = fmt.Errorf("got %v", outcome)
		}
		return err
	})
	await(t, func() bool {
		return r.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
	})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if got, want := r.inbox.Stats(), (inbox.Stats{Applied: 3, Retries: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func (r *replica) text(t testing.TB, query string) string {
	t.Helper()
	var s string
	if err := r.QueryRowContext(t.Context(), query).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A SQLite file that does not wait for its lock is asked again.
func TestBusyFileIsRetried(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "busy.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	holder, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, *sql.Tx) error { return nil }
	never, err := inbox.New(inbox.Config{Dialect: database.SQLite, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := never.Do(t.Context(), db, user(replhub.Create, "k", 1), nothing); err == nil || never.Stats().Retries != 0 {
		t.Fatalf("no retries: %v, %+v", err, never.Stats())
	}
	var group errgroup.Group
	group.Go(func() error {
		outcome, err := in.Do(t.Context(), db, user(replhub.Create, "k", 1), nothing)
		if err == nil && outcome != inbox.Applied {
			err = fmt.Errorf("got %v", outcome)
		}
		return err
	})
	await(t, func() bool { return in.Stats().Retries > 0 })
	if _, err := holder.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// Errors of the effect's own are not retried, unless the config says so, and a
// context that ends ends the retries.
func TestRetryable(t *testing.T) {
	own := errors.New("try again")
	for name, c := range map[string]struct {
		retryable func(error) bool
		attempts  int
	}{
		"by default":  {nil, 1},
		"by config":   {func(err error) bool { return errors.Is(err, own) }, 3},
		"of another ": {func(error) bool { return false }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, inbox.Config{Dialect: database.SQLite, Retries: 2, Retryable: c.retryable})
			attempts := 0
			_, err := r.inbox.Do(t.Context(), r.DB, user(replhub.Create, "k", 1), func(context.Context, *sql.Tx) error {
				attempts++
				return own
			})
			if !errors.Is(err, own) || attempts != c.attempts {
				t.Errorf("%v after %d attempts, want %d", err, attempts, c.attempts)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := newReplica(t, inbox.Config{Dialect: database.SQLite, Retries: 1000, Retryable: func(error) bool { return true }})
	_, err := r.inbox.Do(ctx, r.DB, user(replhub.Create, "k", 1), func(context.Context, *sql.Tx) error {
		cancel()
		return own
	})
	if !errors.Is(err, own) || r.inbox.Stats().Retries != 0 {
		t.Errorf("cancelled: %v, %+v", err, r.inbox.Stats())
	}
}
