package database_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/sqltest"
)

func TestClassifyPostgres(t *testing.T) {
	dsn := sqltest.Postgres(t)
	db := open(t, "pgx", dsn)
	must(t, db,
		"CREATE TABLE t (id int PRIMARY KEY, name varchar(3) NOT NULL, n smallint CHECK (n > 0), u int UNIQUE, parent int REFERENCES t)",
		"CREATE TABLE v (d date, j jsonb, x text)", "CREATE INDEX ON v (x)",
		"INSERT INTO t VALUES (1, 'one', 1, 1, NULL), (2, 'two', 2, 2, 1)")
	must(t, db, "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
	insert := func(values string, args ...any) func() error {
		return exec(t, db, "INSERT INTO t VALUES ("+values+")", args...)
	}
	with := func(setting, statement string) func() error {
		return func() error {
			conn := connection(t, db)
			if _, err := conn.ExecContext(t.Context(), "SET "+setting); err != nil {
				return err
			}
			defer conn.ExecContext(t.Context(), "RESET ALL") //nolint:errcheck // the next one would tell
			return exec(t, conn, statement)()
		}
	}
	other := func(change string) func() error {
		return exec(t, open(t, "pgx", dsn+" "+change), "SELECT 1")
	}
	classify(t, []provoked{
		{"22001", database.Invalid, insert("3, 'four', 1, NULL, NULL")},
		{"22003", database.Invalid, insert("3, 'x', 99999, NULL, NULL")},
		{"22P02", database.Invalid, insert("3, 'x', $1::text::int, NULL, NULL", "many")},
		{"22P02 of JSON", database.Invalid, exec(t, db, "INSERT INTO v (j) VALUES ($1::text::jsonb)", "{")},
		{"22008", database.Invalid, exec(t, db, "INSERT INTO v (d) VALUES ($1::text::date)", "2026-02-31")},
		{"22007", database.Invalid, exec(t, db, "INSERT INTO v (d) VALUES ($1::text::date)", "tomorrow-ish")},
		{"22012", database.Invalid, exec(t, db, "SELECT 1 / $1::int", 0)},
		{"22021, a NUL byte", database.Invalid, exec(t, db, "INSERT INTO v (x) VALUES ($1)", "a\x00b")},
		{"22P05 of JSON", database.Invalid, exec(t, db, "INSERT INTO v (j) VALUES ($1::text::jsonb)", `"a\u0000b"`)},
		{"23502", database.Invalid, insert("3, NULL, 1, NULL, NULL")},
		{"23514", database.Invalid, insert("3, 'x', 0, NULL, NULL")},
		{"54000", database.Invalid, exec(t, db, "INSERT INTO v (x) SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n")},
		{"the driver's refusal", database.Invalid, insert("$1, 'x', 1, NULL, NULL", "many")},
		{"23505", database.Waits, insert("3, 'x', 1, 1, NULL")},
		{"23503", database.Waits, insert("3, 'x', 1, NULL, 42")},
		{"23503 of a parent", database.Waits, exec(t, db, "DELETE FROM t WHERE id = 1")},
		{"42P01", database.Unknown, exec(t, db, "INSERT INTO none VALUES (1)")},
		{"P0001", database.Unknown, exec(t, db, "DO $$ BEGIN RAISE EXCEPTION 'connection refused'; END $$")},
		{"40P01", database.Conflict, crossed(t, db, "BEGIN; SET LOCAL deadlock_timeout = '10ms'", "UPDATE t SET u = u WHERE id = %d")},
		{"40001", database.Conflict, func() error {
			a := connection(t, db)
			prepare := errors.Join(exec(t, a, "BEGIN ISOLATION LEVEL REPEATABLE READ")(), exec(t, a, "SELECT count(*) FROM t")(),
				exec(t, db, "UPDATE t SET u = u WHERE id = 1")())
			return errors.Join(exec(t, a, "UPDATE t SET u = u WHERE id = 1")(), prepare, exec(t, a, "ROLLBACK")())
		}},
		{"55P03", database.Conflict, func() error {
			a := connection(t, db)
			prepare := errors.Join(exec(t, a, "BEGIN")(), exec(t, a, "UPDATE t SET u = u WHERE id = 1")())
			return errors.Join(with("lock_timeout = '10ms'", "UPDATE t SET u = u WHERE id = 1")(), prepare, exec(t, a, "ROLLBACK")())
		}},
		{"57014", database.Conflict, with("statement_timeout = '10ms'", "SELECT pg_sleep(10)")},
		{"25006", database.Unavailable, with("default_transaction_read_only = on", "INSERT INTO v (x) VALUES ('x')")},
		{"53300", database.Unavailable, other("user=crowded")},
		{"28000", database.Unavailable, other("user=nobody")},
		{"3D000", database.Unavailable, other("dbname=none")},
		{"57P01 of one connection", database.Unavailable, func() error {
			conn := connection(t, db)
			return exec(t, conn, "SELECT pg_terminate_backend(pg_backend_pid())")()
		}},
	})
}

// A server's end, by each of its ways, while a statement is under way and right
// after it.
func TestClassifyPostgresThatEnds(t *testing.T) {
	server := sqltest.OwnPostgres(t)
	for _, end := range []struct {
		name   string
		signal syscall.Signal
	}{{"fast", syscall.SIGINT}, {"immediate", syscall.SIGQUIT}} {
		classifyEnd(t, server, "pgx", "SELECT pg_sleep(60)", end.name, func() { server.Stop(end.signal) })
		server.Start()
	}
	// Whoever connects while it starts or ends is told so.
	for deadline := time.Now().Add(20 * time.Second); ; {
		told := make(chan error, 1)
		go func() { told <- whileItEnds(t.Context(), server.DSN()) }()
		server.Stop(syscall.SIGINT)
		err := <-told
		if database.Classify(err) != database.Unavailable {
			t.Fatalf("while it ends: %v", err)
		}
		if strings.Contains(err.Error(), "57P0") || time.Now().After(deadline) {
			break
		}
		server.Start()
	}
}

func whileItEnds(ctx context.Context, dsn string) error {
	for {
		db, err := openQuietly("pgx", dsn)
		if err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, "SELECT 1")
		if err := errors.Join(err, db.Close()); err != nil {
			return err
		}
	}
}

// A server that is killed, and one that stands still.
func TestClassifyPostgresThatIsKilled(t *testing.T) {
	server := sqltest.OwnPostgres(t)
	db := open(t, "pgx", server.DSN())
	must(t, db, "SELECT 1")
	classify(t, []provoked{{"stands still", database.Unavailable, func() error {
		// The backends stand still with their connections: those to come wait.
		defer server.Freeze()()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := open(t, "pgx", server.DSN()).ExecContext(ctx, "SELECT 1")
		return err
	}}})
	classifyEnd(t, server, "pgx", "SELECT pg_sleep(60)", "kill -9", func() { server.Stop(syscall.SIGKILL) })
}
