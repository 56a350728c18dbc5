// Publisher changes a user, and publishes the change with its transaction.
package main

import (
	"context"
	"database/sql"
	"log"
	"os"
	"os/signal"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
	_ "modernc.org/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	db := must(sql.Open("sqlite", "file:user-profile.db?_pragma=busy_timeout(5000)&_txlock=immediate"))
	must(db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT)"))
	box := must(outbox.New(outbox.Config{Dialect: database.SQLite}))
	must(0, box.Migrate(ctx, db))
	client := must(replhub.Connect(ctx, replhub.Config{URL: os.Getenv("NATS_URL"), Service: "user-profile"}))
	relay := must(box.NewRelay(outbox.RelayConfig{DB: db, Publisher: client}))

	tx := must(db.BeginTx(ctx, nil))
	must(tx.ExecContext(ctx, "INSERT INTO users (id, name) VALUES ('42', 'Ada') ON CONFLICT (id) DO UPDATE SET name = excluded.name"))
	must(0, box.Enqueue(ctx, tx, replhub.Event{Entity: "user", Op: replhub.Update, Data: []byte(`{"id":"42","name":"Ada"}`)}))
	must(0, tx.Commit())    // the event leaves if this succeeds, and only then
	must(0, relay.Run(ctx)) // publishes what was committed, until Ctrl-C
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
