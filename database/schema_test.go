package database_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func TestSchema(t *testing.T) {
	db, err := sql.Open("sqlite", sqltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := database.Schema{"CREATE TABLE IF NOT EXISTS a (n int)", "CREATE TABLE IF NOT EXISTS b (n int)"}
	for range 2 {
		if err := s.Migrate(t.Context(), db, database.SQLite, "a"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), s.String()); err != nil {
		t.Errorf("as a script: %v", err)
	}
	broken := database.Schema{"CREATE TABLE c (n int)", "CREATE TABEL d (n int)"}
	err = broken.Migrate(t.Context(), db, database.SQLite, "c")
	if err == nil || !strings.HasPrefix(err.Error(), "migrate c: CREATE TABEL d (n int): ") {
		t.Errorf("a broken statement: %v", err)
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master WHERE type = 'table'").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d tables, %v: want the two of the first schema", n, err)
	}
	if got := (database.Schema{}).String(); got != "" {
		t.Errorf("no statements are %q", got)
	}
}

// While an instance turns write-ahead logging on for a new file, it locks the others
// out, and SQLite does not have them wait, whatever the busy timeout says.
func TestMigrateOnALockedFile(t *testing.T) {
	file := "file:" + filepath.Join(t.TempDir(), "new.db") + "?_txlock=immediate"
	locker := open(t, "sqlite", file)
	lock, err := locker.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	second := &eachConnection{driver: locker.Driver(), dsn: file, begins: func(n int) {
		if n == 2 {
			if err := lock.Rollback(); err != nil {
				t.Error(err)
			}
		}
	}}
	db := sql.OpenDB(second)
	defer db.Close()
	db.SetMaxIdleConns(0) // each attempt connects
	s := database.Schema{"CREATE TABLE IF NOT EXISTS a (n int)", "CREATE TABLE IF NOT EXISTS b (n int)"}
	if err := s.Migrate(t.Context(), db, database.SQLite, "a"); err != nil {
		t.Fatal(err)
	}
	must(t, locker, "INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (1)")
}

// eachConnection tells of each connection that begins.
type eachConnection struct {
	driver driver.Driver
	dsn    string
	n      int
	begins func(n int)
}

func (c *eachConnection) Connect(context.Context) (driver.Conn, error) {
	c.n++
	c.begins(c.n)
	return c.driver.Open(c.dsn)
}

func (c *eachConnection) Driver() driver.Driver { return c.driver }
