package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/outbox"
)

// An event is as committed as its transaction is.
func ExampleOutbox_Enqueue() {
	ctx := context.Background()
	db := exampleFile("enqueue")
	defer db.Close()
	box, err := outbox.New(outbox.Config{Dialect: database.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := box.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT)"); err != nil {
		log.Fatal(err)
	}
	hire := func(id, name string, commit bool) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // nothing to do after a commit
		if _, err := tx.ExecContext(ctx, "INSERT INTO users VALUES (?, ?)", id, name); err != nil {
			return err
		}
		event := replhub.Event{Entity: "user", Op: replhub.Create, Key: id, Data: fmt.Appendf(nil, `{"id":%q,"name":%q}`, id, name)}
		if err := box.Enqueue(ctx, tx, event); err != nil || !commit {
			return err
		}
		return tx.Commit()
	}
	fmt.Println(hire("1", "Ada", true), hire("2", "Bob", false))
	fmt.Println("events to publish:", waiting(ctx, db))
	// Output:
	// <nil> <nil>
	// events to publish: 1
}

// The same in a transaction of pgx.
func ExamplePgx() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, examplePostgres(ctx))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	db := stdlib.OpenDB(*conn.Config()) // for what is done once, and for relays
	defer db.Close()
	box, err := outbox.New(outbox.Config{Dialect: database.Postgres})
	if err != nil {
		log.Fatal(err)
	}
	if err := box.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE TABLE users AS SELECT 42 AS id, 'Ada' AS name"); err != nil {
			return err
		}
		event := replhub.Event{Entity: "user", Op: replhub.Create, Data: []byte(`{"id":42,"name":"Ada"}`)}
		return box.Enqueue(ctx, database.Pgx(tx), event)
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("events to publish:", waiting(ctx, db))
	// Output: events to publish: 1
}

// waiting counts the rows of an outbox. A relay's Stats tell as well.
func waiting(ctx context.Context, db *sql.DB) (n int) {
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM replhub_outbox").Scan(&n); err != nil {
		log.Fatal(err)
	}
	return n
}

// exampleFile is a database in memory; yours is a file.
func exampleFile(name string) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+name+"?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// examplePostgres is the DSN of a database.
func examplePostgres(ctx context.Context) string { return sqltest.Postgres(exampleTB{ctx: ctx}) }

// exampleTB stands for a *testing.T, which examples have none of.
type exampleTB struct {
	testing.TB

	ctx context.Context //nolint:containedctx // testing.TB has one
}

func (exampleTB) Helper()                           {}
func (t exampleTB) Context() context.Context        { return t.ctx }
func (exampleTB) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
