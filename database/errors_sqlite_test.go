package database_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func TestClassifySQLite(t *testing.T) {
	s := newOnServer(t, database.SQLite, sqltest.SQLite(t)+"&_pragma=foreign_keys(1)")
	must(t, s.db,
		"CREATE TABLE strict (id INTEGER PRIMARY KEY, n INTEGER) STRICT", "INSERT INTO strict VALUES (1, 1)",
		"CREATE TRIGGER refuse BEFORE DELETE ON strict BEGIN SELECT RAISE(ABORT, 'no'); END")
	file := filepath.Join(t.TempDir(), "other.db")
	must(t, open(t, "sqlite", "file:"+file), "PRAGMA journal_mode=WAL", "CREATE TABLE t (n)", "INSERT INTO t VALUES (1)")
	impatient := &onServer{T: t, dialect: database.SQLite, driver: "sqlite", dsn: "file:" + file, db: open(t, "sqlite", "file:"+file)}
	small := open(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "small.db")+"?_pragma=max_page_count(4)")
	must(t, small, "CREATE TABLE t (b BLOB)")
	cases := append(alike(s), []provoked{
		{"3091 type", database.Invalid, s.exec("INSERT INTO strict VALUES (3, 'many')")},
		{"20 key's type", database.Invalid, s.exec("INSERT INTO strict VALUES ('k', 1)")},
		{"18 too big", database.Invalid, s.exec("SELECT length(zeroblob(1500000000) || 'x')")},
		{"1 JSON", database.Invalid, s.exec("SELECT json('{')")},
		{"1811 trigger", database.Unknown, s.exec("DELETE FROM strict")},
		{"5 busy", database.Conflict, impatient.beside([]string{"INSERT INTO t VALUES (2)"}, "BEGIN IMMEDIATE")},
		{"517 busy snapshot", database.Conflict, impatient.overtaken([]string{"BEGIN", "SELECT n FROM t"}, "UPDATE t SET n = 2", "UPDATE t SET n = 3")},
		{"6 locked", database.Conflict, s.locked},
		{"8 read-only", database.Unavailable, exec(t, open(t, "sqlite", "file:"+file+"?mode=ro"), "INSERT INTO t VALUES (1)")},
		{"14 no folder", database.Unavailable, exec(t, open(t, "sqlite", "file:"+filepath.Join(file, "below", "x.db")), "CREATE TABLE t (n)")},
		{"26 no database", database.Unavailable, exec(t, open(t, "sqlite", "file:"+garbage(t, nil)), "CREATE TABLE t (n)")},
		{"11 damaged", database.Unavailable, exec(t, open(t, "sqlite", "file:"+garbage(t, headOf(t, file))), "SELECT name FROM sqlite_schema")},
		{"13 full", database.Unavailable, exec(t, small, "INSERT INTO t VALUES (zeroblob(1000000))")},
		{"cancelled", database.Unknown, func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.db.ExecContext(ctx, "SELECT 1")
			return err
		}},
	}...)
	classify(t, cases)
	covered(t, database.SQLite, cases, "3", "4", "7", "9", "10", "15", "17", "22")
}

// locked is a table that is dropped while its rows are read.
func (s *onServer) locked() error {
	conn := s.own()
	defer s.end(conn)
	rows, err := conn.QueryContext(s.Context(), "SELECT id FROM strict UNION ALL SELECT 2")
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		s.Fatal("no rows", rows.Err())
	}
	return exec(s.T, conn, "DROP TABLE strict")()
}

// headOf is the beginning of a file, which says that it is a database.
func headOf(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data[:100]
}

// garbage is a file that is no database behind its first bytes.
func garbage(t *testing.T, first []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "garbage.db")
	content := make([]byte, 1<<13)
	for i := range content {
		content[i] = 'x'
	}
	copy(content, first)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
