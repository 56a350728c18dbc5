package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

// ended checks that a transaction which met a conflict cannot be taken for
// committed.
func (p *place) ended(tx *sql.Tx, err error) {
	p.Helper()
	if !errors.Is(err, database.ErrConflict) {
		p.Errorf("Enqueue: %v, want a conflict", err)
	}
	if err := tx.Commit(); err == nil {
		p.Error("Commit succeeds although the transaction was rolled back")
	}
}

// A transaction with a snapshot meets a key that was enqueued since.
func TestChangedSinceTheSnapshot(t *testing.T) {
	for name, begin := range map[string]func(p *place) *sql.Tx{
		"postgres": func(p *place) *sql.Tx { return p.beginWith(sql.LevelRepeatableRead) },
		"mariadb":  (*place).begin,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, map[string]dialect{"postgres": postgres, "mariadb": mariadbSnapshot}[name], outbox.Config{})
			p.enqueue(user("k"))
			late := begin(p)
			var one int
			if err := late.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM replhub_outbox").Scan(&one); err != nil {
				t.Fatal(err)
			}
			p.enqueue(user("k"))
			p.ended(late, p.box.Enqueue(t.Context(), late, user("k")))
			if n := p.rows(""); n != 2 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

func (p *place) beginWith(level sql.IsolationLevel) *sql.Tx {
	p.Helper()
	tx, err := p.db.BeginTx(p.Context(), &sql.TxOptions{Isolation: level})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// Two transactions enqueue two keys in opposite orders: the database ends one of
// them.
func TestDeadlock(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		first, second := p.begin(), p.begin()
		for _, err := range []error{
			p.box.Enqueue(t.Context(), first, user("a")),
			p.box.Enqueue(t.Context(), second, user("b")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		var other error
		var waiting sync.WaitGroup
		waiting.Go(func() { other = p.box.Enqueue(t.Context(), first, user("b")) })
		p.waitForALock()
		err := p.box.Enqueue(t.Context(), second, user("a"))
		if err == nil {
			// The survivor goes on once the other one is gone.
			waiting.Wait()
			first, second, err, other = second, first, other, err
			p.ended(second, err)
		} else {
			p.ended(second, err)
			waiting.Wait()
		}
		if err := errors.Join(other, first.Commit()); err != nil {
			t.Error(err)
		}
		if n := p.rows(""); n != 2 {
			t.Errorf("%d rows", n)
		}
	}, postgres, mariadb)
}

// A lock that is not got in time.
func TestLockTimeout(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		limit := map[database.Dialect]string{
			database.Postgres: "SET LOCAL lock_timeout = 1",
			database.MariaDB:  "SET SESSION innodb_lock_wait_timeout = 0",
			database.SQLite:   "PRAGMA busy_timeout = 0",
		}[p.Dialect]
		p.dataSource = strings.Replace(p.dataSource, "_txlock=immediate", "_txlock=deferred", 1)
		holder, late := p.begin(), p.open()
		late.SetMaxOpenConns(1)
		if p.Dialect == database.SQLite {
			if _, err := late.ExecContext(t.Context(), limit); err != nil { // a pragma of the connection
				t.Fatal(err)
			}
		}
		if err := p.box.Enqueue(t.Context(), holder, user("k")); err != nil {
			t.Fatal(err)
		}
		tx, err := late.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if p.Dialect != database.SQLite {
			if _, err := tx.ExecContext(t.Context(), limit); err != nil {
				t.Fatal(err)
			}
		}
		p.ended(tx, p.box.Enqueue(t.Context(), tx, user("k")))
	})
}

// The caller's own statement had the server roll back, and the caller went on
// all the same.
func TestEnqueueAfterAFailureOfTheCallers(t *testing.T) {
	for name, provoke := range map[string]func(*place, *sql.Tx) error{
		"conflict": func(p *place, tx *sql.Tx) error {
			if err := tx.QueryRowContext(p.Context(), "SELECT n FROM own WHERE n = 2").Scan(new(int)); err != nil {
				return err
			}
			if _, err := p.db.ExecContext(p.Context(), "UPDATE own SET m = 1 WHERE n = 1"); err != nil {
				return err
			}
			_, err := tx.ExecContext(p.Context(), "UPDATE own SET m = 2 WHERE n = 1")
			return failed(err)
		},
		"duplicate": func(p *place, tx *sql.Tx) error {
			_, err := tx.ExecContext(p.Context(), "INSERT INTO own VALUES (1, 0)")
			return failed(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []dialect{postgres, mariadbSnapshot} {
				t.Run(d.String(), func(t *testing.T) {
					p := newPlace(t, d, outbox.Config{})
					for _, statement := range []string{"CREATE TABLE own (n INTEGER PRIMARY KEY, m INTEGER)", "INSERT INTO own VALUES (1, 0), (2, 0)"} {
						if _, err := p.db.ExecContext(t.Context(), statement); err != nil {
							t.Fatal(err)
						}
					}
					tx := p.beginWith(sql.LevelRepeatableRead)
					if err := provoke(p, tx); err != nil {
						t.Fatal(err)
					}
					lives := d.Dialect == database.MariaDB && name == "duplicate" // the statement alone was undone
					for _, key := range []string{"k", ""} {
						if err := p.box.Enqueue(t.Context(), tx, user(key)); (err == nil) != lives {
							t.Errorf("Enqueue of key %q: %v", key, err)
						}
					}
					if err := tx.Commit(); (err == nil) != lives {
						t.Errorf("Commit: %v", err)
					}
					if n := p.rows(""); n > 0 != lives {
						t.Errorf("%d rows", n)
					}
				})
			}
		})
	}
}

// failed expects an error.
func failed(err error) error {
	if err == nil {
		return errors.New("the statement went through")
	}
	return nil
}

// Run again, each change is made once, with its event.
func TestInTransactionRunsAgain(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		if _, err := p.db.ExecContext(t.Context(), "CREATE TABLE own (n INTEGER)"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.db.ExecContext(t.Context(), "INSERT INTO own VALUES (0)"); err != nil {
			t.Fatal(err)
		}
		const writers, each = 4, 5
		var calls atomic.Int32
		change := func(ctx context.Context, tx *sql.Tx) error {
			calls.Add(1)
			var n int
			if err := tx.QueryRowContext(ctx, "SELECT n FROM own").Scan(&n); err != nil {
				return err
			}
			if err := p.box.Enqueue(ctx, tx, user("k", strconv.Itoa(n+1))); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "UPDATE own SET n = n + 1")
			return err
		}
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				for range each {
					err := database.InTransaction(t.Context(), p.db, serializable(p), func(tx *sql.Tx) error { return change(t.Context(), tx) })
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var n int
		if err := p.db.QueryRowContext(t.Context(), "SELECT n FROM own").Scan(&n); err != nil || n != writers*each || p.rows("") != n {
			t.Errorf("%d changes and %d events of %d, %v", n, p.rows(""), writers*each, err)
		}
		t.Logf("%d calls for %d changes", calls.Load(), n)
	})
}

func serializable(p *place) *sql.TxOptions {
	if p.Dialect == database.SQLite {
		return nil
	}
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead}
}
