package database_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/sqltest"
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
