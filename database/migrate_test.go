package database_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// A newer version's statements, and those of the one before.
func versions(d database.Dialect) (older, newer database.Schema) {
	older = database.Schema{
		"CREATE TABLE IF NOT EXISTS things (id int PRIMARY KEY, name varchar(20) NOT NULL)",
		"INSERT INTO things (id, name) SELECT n, 'first' FROM (SELECT 1 AS n) AS v WHERE n NOT IN (SELECT id FROM things)",
	}
	created := "CREATE TABLE IF NOT EXISTS things (id int PRIMARY KEY, name varchar(20) NOT NULL, " +
		"note varchar(20) NOT NULL DEFAULT 'a, (b)', \n\tn int NOT NULL DEFAULT 7 CHECK (n > 0)"
	newer = database.Schema{created + ")", "CREATE INDEX IF NOT EXISTS things_note ON things (note, id)", older[1]}
	if d == database.MariaDB {
		newer = database.Schema{created + ",\n\tINDEX things_note (note, id))", older[1]}
	}
	return older, newer
}

func onEachServer(t *testing.T, test func(t *testing.T, d database.Dialect, db *sql.DB)) {
	for d, server := range map[database.Dialect]struct {
		driver string
		dsn    func(testing.TB) string
	}{
		database.Postgres: {"pgx", sqltest.Postgres}, database.MariaDB: {"mysql", sqltest.MariaDB}, database.SQLite: {"sqlite", sqltest.SQLite},
	} {
		t.Run(d.String(), func(t *testing.T) { test(t, d, open(t, server.driver, server.dsn(t))) })
	}
}

// A newer version adds its columns and indexes, also if several instances begin at once. An
// instance of the older version continues beside it.
func TestMigrateAddsColumns(t *testing.T) {
	onEachServer(t, func(t *testing.T, d database.Dialect, db *sql.DB) {
		older, newer := versions(d)
		if err := older.Migrate(t.Context(), db, d, "things"); err != nil {
			t.Fatal(err)
		}
		must(t, db, "INSERT INTO things (id, name) VALUES (2, 'before')")
		var group errgroup.Group
		for n := range 5 {
			group.Go(func() error {
				if n == 3 {
					return older.Migrate(t.Context(), db, d, "things")
				}
				return newer.Migrate(t.Context(), db, d, "things")
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		must(t, db, "INSERT INTO things (id, name) VALUES (3, 'of the older one')", "INSERT INTO things (id, name, note, n) VALUES (4, 'of the newer', 'x', 1)")
		var rows, defaults int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*), count(CASE WHEN note = 'a, (b)' AND n = 7 THEN 1 END) FROM things").Scan(&rows, &defaults); err != nil || rows != 4 || defaults != 3 {
			t.Errorf("%d rows, %d of them with the defaults, %v", rows, defaults, err)
		}
		if _, err := db.ExecContext(t.Context(), "INSERT INTO things (id, name, n) VALUES (5, 'refused', 0)"); err == nil {
			t.Error("the new column has lost its check")
		}
		index := map[database.Dialect]string{
			database.Postgres: "SELECT count(*) FROM pg_indexes WHERE indexname = 'things_note'",
			database.MariaDB:  "SELECT count(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'things_note'",
			database.SQLite:   "SELECT count(*) FROM sqlite_master WHERE name = 'things_note'",
		}[d]
		if err := db.QueryRowContext(t.Context(), index).Scan(&rows); err != nil || rows != 1 {
			t.Errorf("%d indexes, %v", rows, err)
		}
	})
}

// With nothing missing, Migrate waits for no transaction that has written. With a
// column missing, it waits for a while, and others of the table with it no longer than
// that.
func TestMigrateBesideAnOpenTransaction(t *testing.T) {
	onEachServer(t, func(t *testing.T, d database.Dialect, db *sql.DB) {
		if d == database.SQLite {
			return // it has one writer
		}
		older, newer := versions(d)
		if err := older.Migrate(t.Context(), db, d, "things"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "UPDATE things SET name = 'open' WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		if err := older.Migrate(ctx, db, d, "things"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- newer.Migrate(ctx, db, d, "things") }()
		// It has come to the table.
		waiting := map[database.Dialect]string{
			database.Postgres: "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'",
			database.MariaDB:  "SELECT count(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table metadata lock%' AND INFO LIKE 'ALTER TABLE%'",
		}[d]
		for n := 0; n == 0; {
			if err := db.QueryRowContext(ctx, waiting).Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO things (id, name) VALUES (9, 'another')"); err != nil {
			t.Errorf("another one waits for as long: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if tx, err = db.BeginTx(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "UPDATE things SET n = 1"); err != nil {
			t.Fatal(err)
		}
		for _, s := range []database.Schema{newer, older} {
			if err := s.Migrate(ctx, db, d, "things"); err != nil {
				t.Errorf("beside a transaction, with nothing missing: %v", err)
			}
		}
	})
}

func TestParseStatement(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{
			text: "CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY, b decimal(10, 2) DEFAULT 1.5, PRIMARY KEY (id, b), CHECK (b > 0), INDEX x (id, b)) WITH (c = 1, d = 2)",
			want: "a (<nil>, a): id=id int PRIMARY KEY; b=b decimal(10, 2) DEFAULT 1.5; index x=INDEX x (id, b)",
		},
		{
			text: "CREATE TABLE IF NOT EXISTS \"a.b\".\"c(\"\"d\" (\n\te text DEFAULT ',)''(',\n\tUNIQUE (e)\n)",
			want: "\"a.b\".\"c(\"\"d\" (a.b, c(\"d): e=e text DEFAULT ',)''('",
		},
		{
			text: "CREATE TABLE IF NOT EXISTS `x`.`y` (`z z` int)",
			want: "`x`.`y` (x, y): z z=`z z` int",
		},
		{
			text: "CREATE INDEX IF NOT EXISTS i_shard ON s.t (shard, id)",
			want: "s.t (s, t): index i_shard=",
		},
		{
			text: "INSERT INTO t (a) VALUES (1)",
			want: " (<nil>, ): ",
		},
		{
			text: "CREATE TABLE t (a int)",
			want: " (<nil>, ): ",
		},
		{
			text: "CREATE TABLE IF NOT EXISTS t (one integer CHECK (one = (1)))",
			want: "t (<nil>, t): one=one integer CHECK (one = (1))",
		},
		{
			text: "CREATE TABLE IF NOT EXISTS t(a int,b int)",
			want: "t (<nil>, t): a=a int; b=b int",
		},
		{
			text: "CREATE TABLE IF NOT EXISTS t (a int, CONSTRAINT c UNIQUE (a))",
			want: "t (<nil>, t): a=a int",
		},
	} {
		if got := database.Parsed(c.text); got != c.want {
			t.Errorf("%s\nis %s\nnot %s", c.text, got, c.want)
		}
	}
}

// What the packages' statements define is read completely: a name that is none of a
// column would be added as one.
func TestParsedNames(t *testing.T) {
	got := database.ParsedColumns("CREATE TABLE IF NOT EXISTS t (id bigserial PRIMARY KEY, shard integer NOT NULL, entity_key varbinary(1024) NOT NULL,\n\t\tversion bigint NOT NULL CHECK (version <= 17), PRIMARY KEY (entity, entity_key)) WITH (fillfactor = 80)")
	if want := []string{"id", "shard", "entity_key", "version"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", fmt.Sprint(got), want)
	}
}
