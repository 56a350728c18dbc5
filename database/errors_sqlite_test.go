package database_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/sqltest"
)

func TestClassifySQLite(t *testing.T) {
	db := open(t, "sqlite", sqltest.SQLite(t)+"&_pragma=foreign_keys(1)")
	must(t, db,
		"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER CHECK (n > 0), u INTEGER UNIQUE, parent INTEGER REFERENCES t) STRICT",
		"INSERT INTO t VALUES (1, 'one', 1, 1, NULL), (2, 'two', 2, 2, 1)",
		"CREATE TRIGGER refuse BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END")
	file := filepath.Join(t.TempDir(), "other.db")
	must(t, open(t, "sqlite", "file:"+file), "PRAGMA journal_mode=WAL", "CREATE TABLE t (n)", "INSERT INTO t VALUES (1)")
	impatient := open(t, "sqlite", "file:"+file)
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, make([]byte, 1<<13), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(garbage, []byte("this is no database, whatever its name may say about it, and however long it is"), 0o600); err != nil {
		t.Fatal(err)
	}
	small := open(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "small.db")+"?_pragma=max_page_count(4)")
	must(t, small, "CREATE TABLE t (b BLOB)")
	insert := func(values string) func() error { return exec(t, db, "INSERT INTO t VALUES ("+values+")") }
	classify(t, []provoked{
		{"check", database.Invalid, insert("3, 'x', 0, NULL, NULL")},
		{"not null", database.Invalid, insert("3, NULL, 1, NULL, NULL")},
		{"type", database.Invalid, insert("3, 'x', 'many', NULL, NULL")},
		{"key's type", database.Invalid, insert("'k', 'x', 1, NULL, NULL")},
		{"too big", database.Invalid, exec(t, db, "SELECT length(zeroblob(1500000000) || 'x')")},
		{"JSON", database.Invalid, exec(t, db, "SELECT json('{')")},
		{"primary key", database.Waits, insert("1, 'x', 1, NULL, NULL")},
		{"unique", database.Waits, insert("3, 'x', 1, 1, NULL")},
		{"foreign key", database.Waits, insert("3, 'x', 1, NULL, 42")},
		{"trigger", database.Unknown, exec(t, db, "DELETE FROM t")},
		{"no table", database.Unknown, exec(t, db, "INSERT INTO none VALUES (1)")},
		{"busy", database.Conflict, func() error {
			a, b := connection(t, impatient), connection(t, impatient)
			first := exec(t, a, "BEGIN IMMEDIATE")()
			err := exec(t, b, "BEGIN IMMEDIATE")()
			return errors.Join(err, first, exec(t, a, "ROLLBACK")())
		}},
		{"busy snapshot", database.Conflict, func() error {
			a, b := connection(t, impatient), connection(t, impatient)
			var n int
			prepare := errors.Join(exec(t, a, "BEGIN")(), a.QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n), exec(t, b, "UPDATE t SET n = 2")())
			return errors.Join(exec(t, a, "UPDATE t SET n = 3")(), prepare, exec(t, a, "ROLLBACK")())
		}},
		{"read-only", database.Unavailable, exec(t, open(t, "sqlite", "file:"+file+"?mode=ro"), "INSERT INTO t VALUES (1)")},
		{"no folder", database.Unavailable, exec(t, open(t, "sqlite", "file:"+filepath.Join(file, "below", "x.db")), "CREATE TABLE t (n)")},
		{"no database", database.Unavailable, exec(t, open(t, "sqlite", "file:"+garbage), "CREATE TABLE t (n)")},
		{"full", database.Unavailable, exec(t, small, "INSERT INTO t VALUES (zeroblob(1000000))")},
		{"cancelled", database.Unknown, func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := db.ExecContext(ctx, "SELECT 1")
			return err
		}},
	})
}
