package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// startTimeout bounds the making and starting of a server.
const startTimeout = 60 * time.Second

// Postgres returns the DSN of a fresh database of the newest PostgreSQL on this
// machine, for pgx and its database/sql driver "pgx". It is dropped with the
// server. A test's server does not wait for its disk; a benchmark's does, as
// servers in use do: what it costs would be out of proportion otherwise.
func Postgres(tb testing.TB) string {
	tb.Helper()
	if _, ok := tb.(*testing.B); ok {
		return servers.synced.database(tb, startSyncedPostgres)
	}
	return servers.postgres.database(tb, startPostgres)
}

// MariaDB returns the DSN of a fresh database of this machine's MariaDB, for
// github.com/go-sql-driver/mysql, without innodb_snapshot_isolation. It is dropped with
// the server.
func MariaDB(tb testing.TB) string {
	tb.Helper()
	dsn := servers.mariadb.database(tb, startMariaDB)
	if snapshotIsolation(tb, dsn) == "ON" {
		dsn += "&innodb_snapshot_isolation=OFF"
	}
	return dsn
}

// MariaDBSnapshot is MariaDB with innodb_snapshot_isolation, the default since
// 11.6.2: a statement that meets a row which has changed since the transaction's
// snapshot fails with error 1020, and the transaction is rolled back. The test fails
// on a server that has no such setting.
func MariaDBSnapshot(tb testing.TB) string {
	tb.Helper()
	dsn := servers.mariadb.database(tb, startMariaDB)
	switch snapshotIsolation(tb, dsn) {
	case "ON":
	case "":
		tb.Fatal("this MariaDB has no innodb_snapshot_isolation: install 10.6.18, 10.11.8, 11.0.6, 11.1.5, 11.2.4 or a later one of these, or 11.4.2 or later")
	default:
		dsn += "&innodb_snapshot_isolation=ON"
	}
	return dsn
}

// snapshotIsolation is what the server has by default, ON or OFF; empty where it has
// no such setting.
func snapshotIsolation(tb testing.TB, dsn string) (value string) {
	tb.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		tb.Fatal(err)
	}
	var name string
	err = db.QueryRowContext(tb.Context(), "SHOW VARIABLES LIKE 'innodb_snapshot_isolation'").Scan(&name, &value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if err := errors.Join(err, db.Close()); err != nil {
		tb.Fatal(err)
	}
	return value
}

// SQLite returns the DSN of a fresh database file for modernc.org/sqlite: in
// WAL mode, transactions take the write lock as they begin, and wait for it up
// to ten seconds. The file goes when the test ends.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return "file:" + filepath.Join(tb.TempDir(), "test.db") +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"
}

// Runner is a *testing.M, and what Main makes of it.
type Runner interface {
	Run() int
}

// Main wraps m so that the servers are stopped once its tests have run:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(sqltest.Main(m)) }
func Main(m Runner) Runner { return stopping{m} }

type stopping struct{ m Runner }

func (s stopping) Run() int {
	code := s.m.Run()
	servers.postgres.stop()
	servers.synced.stop()
	servers.mariadb.stop()
	return code
}

//nolint:gochecknoglobals // one server per test binary: a test binary has no other owner that all its tests know
var servers struct{ postgres, synced, mariadb shared }

// server is a running database server.
type server interface {
	// create makes a database and returns its DSN.
	create(ctx context.Context, name string) (string, error)
	stop() error
}

// shared is a server that is started when first asked for.
type shared struct {
	mu      sync.Mutex // guards the rest, and makes others wait for the start
	running server
	err     error
	count   int
}

func (s *shared) database(tb testing.TB, start func(context.Context) (server, error)) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil && s.err == nil {
		s.running, s.err = start(ctx)
	}
	if s.err != nil {
		tb.Fatalf("start a database server: %v", s.err)
	}
	s.count++
	dsn, err := s.running.create(ctx, fmt.Sprintf("test%d", s.count))
	if err != nil {
		tb.Fatalf("create a database: %v", err)
	}
	return dsn
}

func (s *shared) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		if err := s.running.stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stop a database server: %v\n", err) // the tests have passed or failed by now
		}
		s.running = nil
	}
	s.err = errors.New("the tests are over")
}
