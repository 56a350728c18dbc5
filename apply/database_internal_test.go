package apply

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replhub/replhub/database"
)

// A DSN's form says which database it is. What is shown has no secret.
func TestParseDSN(t *testing.T) {
	for _, tt := range []struct {
		dsn     string
		dialect database.Dialect
		name    string // empty: refused
	}{
		{"postgres://ada:hush@db:5433/app?sslmode=disable", database.Postgres, "PostgreSQL database app at db"},
		{"postgresql://ada:hush@db/app", database.Postgres, "PostgreSQL database app at db"},
		{"host=db user=ada password=hush dbname=app", database.Postgres, "PostgreSQL database app at db"},
		{"mysql://ada:hush@db/app", database.MariaDB, "MariaDB database app at db:3306"},
		{"mariadb://ada:hu%40sh%2F@db:3307/app?timeout=3s", database.MariaDB, "MariaDB database app at db:3307"},
		{"mysql://ada:hush@[::1]:3307/app", database.MariaDB, "MariaDB database app at [::1]:3307"},
		{"mysql://ada:hush@[::1]/app", database.MariaDB, "MariaDB database app at [::1]:3306"},
		{"ada:hush@tcp(db:3306)/app?charset=utf8mb4", database.MariaDB, "MariaDB database app at db:3306"},
		{"ada:hu/sh=x@unix(/run/mysqld.sock)/app", database.MariaDB, "MariaDB database app at /run/mysqld.sock"},
		{"sqlite:/tmp/a.db", database.SQLite, "SQLite file /tmp/a.db"},
		{"sqlite:a.db?_pragma=busy_timeout(1)", database.SQLite, "SQLite file a.db"},
		{"sqlite:///tmp/a.db", database.SQLite, "SQLite file /tmp/a.db"},
		{"file:a.db", database.SQLite, "SQLite file a.db"},
		{" sqlite:a.db\n", database.SQLite, "SQLite file a.db"},
		{"sqlite::memory:", 0, ""},
		{"sqlite:", 0, ""},
		{"mysql://ada:hush@db", 0, ""},
		{"mysql://ada:hu/sh@db/app", 0, ""},
		{"oracle://ada:hush@db/app", 0, ""},
		{"a.db", 0, ""},
		{"", 0, ""},
	} {
		got, err := parseDSN(tt.dsn)
		if got.name != tt.name || got.dialect != tt.dialect || (err == nil) != (tt.name != "") {
			t.Errorf("%s: %s %q, %v", tt.dsn, got.dialect, got.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hu") {
			t.Errorf("%s: %v", tt.dsn, err)
		}
		if err == nil {
			if _, err := got.open(); err != nil {
				t.Errorf("%s: %v", tt.dsn, err)
			}
		}
	}
}

// A DSN's file is read at each connection.
func TestDSNFileIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dsn")
	write := func(dsn string) {
		if err := os.WriteFile(path, []byte(dsn+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("sqlite:" + filepath.Join(dir, "one.db"))
	db, _, err := Config{DSNFile: path, Workers: 1}.openDatabase()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxIdleConns(-1) // a connection for each statement
	for _, name := range []string{"one.db", "two.db"} {
		write("sqlite:" + filepath.Join(dir, name))
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (x)"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	write("postgres://localhost/x")
	if err := db.PingContext(context.Background()); database.Classify(err) != database.Unavailable || !strings.Contains(err.Error(), "another kind") {
		t.Errorf("%v", err)
	}
}

// Services that apply into one database have an inbox each, whatever they are called.
func TestInboxTable(t *testing.T) {
	long := strings.Repeat("a", 62)
	seen := map[string]bool{}
	for _, service := range []string{"sharing", "audit", long + "b", long + "c", long[:41], long[:42]} {
		name := InboxTable(service)
		if len(name)+len("_waiting") > database.MaxName || seen[name] {
			t.Errorf("%s: %s", service, name)
		}
		seen[name] = true
	}
}
