package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

var errBroken = errors.New("broken")

func TestRetry(t *testing.T) {
	conflict := fmt.Errorf("enqueue: %w", database.ErrConflict)
	for _, c := range []struct {
		name  string
		fails int
		err   error
		calls int
		want  error
	}{
		{"at once", 0, nil, 1, nil},
		{"after conflicts", 3, conflict, 4, nil},
		{"marked by the caller", 2, database.Mark(errBroken, database.Conflict), 3, nil},
		{"no conflict", 3, errBroken, 1, errBroken},
		{"a conflict that stays", 1000, conflict, 10, database.ErrConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := database.Retry(t.Context(), func() error {
					if calls++; calls <= c.fails {
						return c.err
					}
					return nil
				})
				if calls != c.calls || !errors.Is(err, c.want) {
					t.Errorf("%d calls, %v; want %d, %v", calls, err, c.calls, c.want)
				}
			})
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err := database.Retry(ctx, func() error { return database.ErrConflict })
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, database.ErrConflict) {
			t.Error(err)
		}
	})
}

func TestInTransaction(t *testing.T) {
	db, err := sql.Open("sqlite", sqltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	calls := 0
	insert := func(end func() error) error {
		return database.InTransaction(t.Context(), db, nil, func(tx *sql.Tx) error {
			calls++
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (?)", calls); err != nil {
				return err
			}
			return end()
		})
	}
	conflicts := func() error {
		if calls < 3 {
			return database.ErrConflict
		}
		return nil
	}
	if err := insert(conflicts); err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := insert(func() error { return errBroken }); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = insert(func() error { panic("of the caller's") })
	}()
	var rows, n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*), MAX(n) FROM t").Scan(&rows, &n); err != nil || rows != 1 || n != 3 {
		t.Errorf("%d rows, %d, %v", rows, n, err)
	}
}

// Connections that others broke while they were in the pool fail no transaction.
func TestInTransactionPassesBrokenConnectionsOver(t *testing.T) {
	cfg, err := pgx.ParseConfig(sqltest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	broken := 5
	db := sql.OpenDB(stdlib.GetConnector(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		if broken == 0 {
			return nil
		}
		broken--
		return conn.Close(ctx)
	})))
	defer db.Close()
	err = database.InTransaction(t.Context(), db, nil, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "CREATE TABLE t (n integer)")
		return err
	})
	if err != nil || broken > 0 {
		t.Errorf("%v, %d broken connections were not tried", err, broken)
	}
}
