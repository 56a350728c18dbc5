package database_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
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

// Several instances begin at once on a file that is new: the one that turns
// write-ahead logging on locks the others out, and SQLite does not have them wait.
func TestMigrateAtOnceOnANewFile(t *testing.T) {
	for range 20 {
		file := "file:" + filepath.Join(t.TempDir(), "new.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_txlock=immediate"
		var begin, group sync.WaitGroup
		const instances = 8
		begin.Add(instances)
		for range instances {
			db := open(t, "sqlite", file)
			group.Go(func() {
				begin.Done()
				begin.Wait()
				s := database.Schema{"CREATE TABLE IF NOT EXISTS a (n int)", "CREATE TABLE IF NOT EXISTS b (n int)"}
				if err := s.Migrate(t.Context(), db, database.SQLite, "a"); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if t.Failed() {
			return
		}
	}
}
