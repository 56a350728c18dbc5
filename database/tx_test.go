package database_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// A *sql.Tx as it is, a *sql.Conn and a pgx.Tx do the same.
func TestTransactions(t *testing.T) {
	dsn := sqltest.Postgres(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE numbers (n int)"); err != nil {
		t.Fatal(err)
	}
	for name, transaction := range map[string]func(*testing.T, func(database.Tx)){
		"sql.Tx": func(t *testing.T, work func(database.Tx)) {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			work(tx)
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		},
		"sql.Conn": func(t *testing.T, work func(database.Tx)) {
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, step := range []func() error{
				func() error { _, err := conn.ExecContext(t.Context(), "BEGIN"); return err },
				func() error { work(conn); return nil },
				func() error { _, err := conn.ExecContext(t.Context(), "ROLLBACK"); return err },
			} {
				if err := step(); err != nil {
					t.Error(err)
				}
			}
		},
		"pgx.Tx": func(t *testing.T, work func(database.Tx)) {
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.WithoutCancel(t.Context()))
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			work(database.Pgx(tx))
			if err := tx.Rollback(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			transaction(t, func(tx database.Tx) { exercise(t, tx) })
			var n int
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM numbers").Scan(&n); err != nil || n != 0 {
				t.Errorf("%d rows are left of what was rolled back, %v", n, err)
			}
		})
	}
}

func exercise(t *testing.T, tx database.Tx) {
	ctx := t.Context()
	if err := database.CheckTx(tx); err != nil {
		t.Error(err)
	}
	result, err := tx.ExecContext(ctx, "INSERT INTO numbers SELECT generate_series(1, $1::int)", 3)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 3 || err != nil {
		t.Errorf("%d rows affected, %v; want 3", n, err)
	}
	var got []int
	err = database.Query(ctx, tx, func(row database.Row) error {
		var n int
		err := row.Scan(&n)
		got = append(got, n)
		return err
	}, "SELECT n FROM numbers WHERE n > $1 ORDER BY n", 1)
	if err != nil || !slices.Equal(got, []int{2, 3}) {
		t.Errorf("query: %v, %v", got, err)
	}
	stop := errors.New("stop")
	if err := database.Query(ctx, tx, func(database.Row) error { return stop }, "SELECT n FROM numbers"); !errors.Is(err, stop) {
		t.Errorf("an error of each: got %v", err)
	}
	var n int
	if err := database.QueryRow(ctx, tx, []any{&n}, "SELECT max(n) FROM numbers"); err != nil || n != 3 {
		t.Errorf("one row: %d, %v", n, err)
	}
	if err := database.QueryRow(ctx, tx, []any{&n}, "SELECT n FROM numbers WHERE n > 99"); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
	// Last: PostgreSQL takes nothing more of this transaction.
	if err := database.Query(ctx, tx, func(database.Row) error { return nil }, "SELECT 1/(n-n) FROM numbers"); err == nil {
		t.Error("a division by zero was no error")
	}
}

// execOnly is a transaction that can only write.
type execOnly struct{ tx *sql.Tx }

func (e execOnly) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return e.tx.ExecContext(ctx, query, args...)
}

func TestWhatIsNoTransaction(t *testing.T) {
	db, err := sql.Open("sqlite", sqltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := database.CheckTx(db); !errors.Is(err, database.ErrNoTransaction) {
		t.Errorf("a *sql.DB: %v", err)
	}
	err = database.Query(t.Context(), execOnly{}, func(database.Row) error { return nil }, "SELECT 1")
	if err == nil || !strings.Contains(err.Error(), "has no QueryContext: give a *sql.Tx") {
		t.Errorf("a type that cannot read: %v", err)
	}
}
