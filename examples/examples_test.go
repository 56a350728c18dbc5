package examples_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/replhubtest"
)

// file opens a program's SQLite file, to read it.
func file(t *testing.T, path ...string) *sql.DB {
	t.Helper()
	return database(t, "sqlite", "file:"+filepath.Join(path...)+"?mode=ro&_pragma=busy_timeout(5000)")
}

func database(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestPublisherReachesSubscriber(t *testing.T) {
	hub := replhubtest.Start(t)
	dir := t.TempDir()
	url := "NATS_URL=" + hub.URL()
	publisher := start(t, dir, "publisher", []string{url})
	subscriber := start(t, dir, "subscriber", []string{url})
	for _, query := range []string{"SELECT id, name FROM people", "SELECT '42' AS id, 'Ada' AS name"} {
		replhubtest.Converged(t,
			replhubtest.SQL(file(t, dir, "user-profile.db"), "SELECT id, name FROM users"),
			replhubtest.SQL(file(t, dir, "sharing.db"), query), patience)
	}
	publisher.stop()
	subscriber.stop()
}

// patience allows for slow machines.
var patience = replhubtest.Within(time.Minute)
