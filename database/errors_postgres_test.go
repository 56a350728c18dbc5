package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func TestClassifyPostgres(t *testing.T) {
	s := newOnServer(t, database.Postgres, sqltest.Postgres(t))
	must(t, s.db,
		"CREATE TABLE v (d date, j jsonb, x text, r int4range, EXCLUDE USING gist (r WITH &&))", "CREATE INDEX ON v (x)",
		"CREATE VIEW few AS SELECT id, name FROM t WHERE id < 10 WITH CHECK OPTION")
	must(t, s.db, "DROP ROLE IF EXISTS crowded, barred", // roles are the server's, and this test may run again
		"CREATE ROLE crowded LOGIN CONNECTION LIMIT 0", "CREATE ROLE barred LOGIN",
		"DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM public', current_database()); END $$")
	const own, waiting = "SELECT pg_backend_pid()", "SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND wait_event_type = 'Lock'"
	cases := append(alike(s), []provoked{
		{"22P02 of JSON", database.Invalid, s.exec("INSERT INTO v (j) VALUES ($1::text::jsonb)", "{")},
		{"22008 of a date", database.Invalid, s.exec("INSERT INTO v (d) VALUES ($1::text::date)", "2026-02-31")},
		{"22007 of a date", database.Invalid, s.exec("INSERT INTO v (d) VALUES ($1::text::date)", "tomorrow-ish")},
		{"22012 division by zero", database.Invalid, s.exec("SELECT 1 / $1::int", 0)},
		{"22021 of a NUL byte", database.Invalid, s.exec("INSERT INTO v (x) VALUES ($1)", "a\x00b")},
		{"22P05 of JSON", database.Invalid, s.exec("INSERT INTO v (j) VALUES ($1::text::jsonb)", `"a\u0000b"`)},
		{"44000 of a view", database.Invalid, s.exec("INSERT INTO few VALUES (10, 'x')")},
		{"54000 of an index", database.Invalid, s.exec("INSERT INTO v (x) SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n")},
		{"the driver's refusal", database.Invalid, s.exec("INSERT INTO t VALUES ($1, 'x', 1, NULL, NULL)", "many")},
		{"23P01 exclusion", database.Waits, s.exec("INSERT INTO v (r) VALUES ('[1,5)'), ('[2,6)')")},
		{"23503 deferred", database.Waits, s.alone("ALTER TABLE t ALTER CONSTRAINT t_parent_fkey DEFERRABLE", "BEGIN",
			"SET CONSTRAINTS ALL DEFERRED", "INSERT INTO t VALUES (3, 'x', 1, NULL, 42)", "COMMIT")},
		{"P0001 an own error", database.Unknown, s.exec("DO $$ BEGIN RAISE EXCEPTION 'connection refused'; END $$")},
		{"40P01 deadlock", database.Conflict, crossed(t, s.db, "BEGIN; SET LOCAL deadlock_timeout = '10ms'", "UPDATE t SET u = u WHERE id = %d")},
		{"40001 serialization", database.Conflict, s.overtaken([]string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM t"},
			"UPDATE t SET u = u WHERE id = 1", "UPDATE t SET u = u WHERE id = 1")},
		{"55P03 lock timeout", database.Conflict, s.beside([]string{"UPDATE t SET u = u WHERE id = 1"}, "SET lock_timeout = '10ms'", "UPDATE t SET u = u WHERE id = 1")},
		{"55006 in use", database.Conflict, s.alone("BEGIN", "DECLARE c CURSOR FOR SELECT x FROM v", "DROP TABLE v")},
		{"57014 statement timeout", database.Conflict, s.alone("SET statement_timeout = '10ms'", "SELECT pg_sleep(10)")},
		{"57014 cancelled", database.Conflict, s.killed(own, waiting, "SELECT pg_cancel_backend(%d)")},
		{"26000 no such statement", database.Conflict, s.alone("EXECUTE none")},
		{"42P05 prepared twice", database.Conflict, s.alone("PREPARE twice AS SELECT 1", "PREPARE twice AS SELECT 1")},
		{"25006 read-only", database.Unavailable, s.alone("SET default_transaction_read_only = on", "INSERT INTO v (x) VALUES ('x')")},
		{"53300 too many connections", database.Unavailable, s.connecting("", "user=crowded")},
		{"28000 no such user", database.Unavailable, s.connecting("", "user=nobody")},
		{"42501 of a connection", database.Unavailable, s.connecting("", "user=barred")},
		{"42501 of a table", database.Unknown, s.alone("SET ROLE barred", "INSERT INTO v (x) VALUES ('x')")},
		{"3D000 no such database", database.Unavailable, s.connecting("", "dbname=none")},
		{"57P01 of one connection", database.Unavailable, s.killed(own, waiting, "SELECT pg_terminate_backend(%d)")},
		{"58P01 no such file", database.Unavailable, s.exec("SELECT pg_read_file('/none')")},
		{"08P01 of a pooler", database.Unavailable, func() error {
			_, err := pooled(t)
			return err
		}},
	}...)
	not := []string{"25P03", "40002", "72000"}
	if s.number("SHOW server_version_num") < 170000 {
		not = append(not, "25P04")
	} else {
		cases = append(cases, provoked{"25P04 transaction timeout", database.Conflict, s.alone("BEGIN", "SET LOCAL transaction_timeout = '10ms'", "SELECT pg_sleep(10)")})
	}
	classify(t, cases)
	covered(t, database.Postgres, cases, not...)
	// The driver reads what the server said, or finds the connection closed.
	err, want := s.idle(), database.Unavailable
	if database.Code(err) == "25P03" {
		want = database.Conflict
	}
	if got := database.Classify(err); got != want {
		t.Errorf("idle in a transaction: %s, want %s: %v", got, want, err)
	}
}

// idle is what a transaction meets that did nothing for too long.
func (s *onServer) idle() error {
	conn := s.own()
	defer s.end(conn)
	pid := 0
	if err := errors.Join(exec(s.T, conn, "SET idle_in_transaction_session_timeout = '10ms'")(),
		conn.QueryRowContext(s.Context(), "SELECT pg_backend_pid()").Scan(&pid), exec(s.T, conn, "BEGIN")()); err != nil {
		return fmt.Errorf("prepare: %v", err) //nolint:errorlint // its class is not the one that is asked for
	}
	for s.number(fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid)) > 0 {
	}
	return exec(s.T, conn, "SELECT 1")()
}

// number is a number that the database knows.
func (s *onServer) number(query string) (n int) {
	s.Helper()
	if err := s.db.QueryRowContext(s.Context(), query).Scan(&n); err != nil {
		s.Fatal(err)
	}
	return n
}

// pooled asks a pooler for a database that it does not have.
func pooled(t *testing.T) (sql.Result, error) {
	t.Helper()
	dsn := sqltest.PgBouncer(t, "transaction")
	return open(t, "pgx", dsn+" dbname=none").ExecContext(t.Context(), "SELECT 1")
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
	// The backends stand still with their connections: those to come wait.
	classify(t, []provoked{standsStill(t, server, func() *sql.DB { return open(t, "pgx", server.DSN()) })})
	classifyEnd(t, server, "pgx", "SELECT pg_sleep(60)", "kill -9", func() { server.Stop(syscall.SIGKILL) })
}
