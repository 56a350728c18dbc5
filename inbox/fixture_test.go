package inbox_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// dialects are the databases that the tests run on.
var dialects = []struct {
	dialect database.Dialect
	driver  string
	dsn     func(testing.TB) string
}{
	{database.Postgres, "pgx", sqltest.Postgres},
	{database.MariaDB, "mysql", sqltest.MariaDB},
	{database.SQLite, "sqlite", sqltest.SQLite},
}

// replica is a database with an inbox, a table of users, and a log of effects.
type replica struct {
	*sql.DB
	dialect database.Dialect
	inbox   *inbox.Inbox
	users   *inbox.Table
}

// snapshotIsolation is in the name of a test whose MariaDB has that turned on, as
// it is by default since 11.6.2.
const snapshotIsolation = "snapshot-isolation"

// onEach runs test on every dialect.
func onEach(t *testing.T, test func(t *testing.T, dialect database.Dialect)) {
	t.Helper()
	on(t, test, database.Postgres, database.MariaDB, database.SQLite)
}

// on runs test on some dialects; on MariaDB without and with snapshot isolation.
func on(t *testing.T, test func(t *testing.T, dialect database.Dialect), some ...database.Dialect) {
	t.Helper()
	for _, dialect := range some {
		t.Run(dialect.String(), func(t *testing.T) { test(t, dialect) })
		if dialect == database.MariaDB {
			t.Run(dialect.String()+"-"+snapshotIsolation, func(t *testing.T) { test(t, dialect) })
		}
	}
}

func open(t testing.TB, dialect database.Dialect) *sql.DB {
	t.Helper()
	d := dialects[dialect]
	if strings.Contains(t.Name(), snapshotIsolation) {
		d.dsn = sqltest.MariaDBSnapshot
	}
	db, err := sql.Open(d.driver, d.dsn(t))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(12)
	db.SetMaxIdleConns(12)
	t.Cleanup(func() { db.Close() })
	if dialect == database.MariaDB {
		// Text is told apart byte by byte, as keys must be, without a word in each table.
		create(t, db, "ALTER DATABASE COLLATE utf8mb4_nopad_bin")
	}
	return db
}

// inboxOn is an inbox whose table is not made: for what only needs its dialect.
func inboxOn(t testing.TB, dialect database.Dialect) *inbox.Inbox {
	t.Helper()
	in, err := inbox.New(inbox.Config{Dialect: dialect, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func newReplica(t testing.TB, cfg inbox.Config) *replica {
	t.Helper()
	return replicaOn(t, open(t, cfg.Dialect), cfg)
}

// replicaOn is a replica on an empty database, which it closes.
func replicaOn(t testing.TB, db *sql.DB, cfg inbox.Config) *replica {
	t.Helper()
	t.Cleanup(func() { db.Close() })
	r := &replica{DB: db, dialect: cfg.Dialect}
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	var err error
	if r.inbox, err = inbox.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err = r.inbox.Migrate(t.Context(), r.DB); err != nil {
		t.Fatal(err)
	}
	r.users, err = r.inbox.NewTable(inbox.TableConfig{Table: "users", Columns: []inbox.Column{{Name: "name"}}})
	if err != nil {
		t.Fatal(err)
	}
	r.exec(t, "CREATE TABLE users (id varchar(64) PRIMARY KEY, name varchar(64))")
	id := map[database.Dialect]string{
		database.Postgres: "bigserial PRIMARY KEY", database.MariaDB: "bigint AUTO_INCREMENT PRIMARY KEY", database.SQLite: "integer PRIMARY KEY AUTOINCREMENT",
	}[cfg.Dialect]
	r.exec(t, "CREATE TABLE effects (n "+id+", user_id varchar(64) NOT NULL, name varchar(64) NOT NULL)")
	return r
}

func (r *replica) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := r.ExecContext(context.WithoutCancel(t.Context()), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// effect is what a delivery does: it changes the table of users, and says so.
func (r *replica) effect(ctx context.Context, tx *sql.Tx, d *replhub.Delivery) error {
	if err := r.users.Apply(ctx, tx, d); err != nil {
		return err
	}
	// Keys and names of the tests hold nothing that would need escaping.
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO effects (user_id, name) VALUES ('%s', '%s')", d.Key, d.ID))
	return err
}

// do applies d guarded.
func (r *replica) do(ctx context.Context, d *replhub.Delivery) (inbox.Outcome, error) {
	return r.inbox.Do(ctx, r.DB, d, func(ctx context.Context, tx *sql.Tx) error { return r.effect(ctx, tx, d) })
}

// mustDo is do, and fails unless want comes out.
func (r *replica) mustDo(t testing.TB, d *replhub.Delivery, want inbox.Outcome) {
	t.Helper()
	got, err := r.do(t.Context(), d)
	if err != nil || got != want {
		t.Fatalf("%s %s at %v, version %d of %q: got %v, %v, want %v", d.Op, d.Key, d.Position, d.Version, d.Origin, got, err, want)
	}
}

// rows are the users by id.
func (r *replica) rows(t testing.TB) map[string]string {
	t.Helper()
	rows, err := r.QueryContext(t.Context(), "SELECT id, name FROM users")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	users := map[string]string{}
	for rows.Next() {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			t.Fatal(err)
		}
		users[id] = name
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return users
}

// count is a query's number.
func (r *replica) count(t testing.TB, query string) int {
	t.Helper()
	var n int
	if err := r.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// user is a delivery of a change of one user, whose name is the event's id.
func user(op replhub.Op, key string, seq uint64) *replhub.Delivery {
	d := &replhub.Delivery{
		Entity: "user", Op: op, Key: key, ID: fmt.Sprintf("e%d", seq), Origin: "accounts",
		Position: replhub.Position{Epoch: 1, Seq: seq},
	}
	if op != replhub.Delete {
		d.Data = fmt.Appendf(nil, `{"name":%q}`, d.ID)
	}
	return d
}
