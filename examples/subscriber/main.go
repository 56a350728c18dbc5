// Subscriber keeps the name of every user in a database of its own.
package main

import (
	"context"
	"database/sql"
	"log"
	"os"
	"os/signal"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	_ "modernc.org/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	db := must(sql.Open("sqlite", "file:sharing.db?_pragma=busy_timeout(5000)&_txlock=immediate"))
	must(db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS people (id TEXT PRIMARY KEY, name TEXT)"))
	in := must(inbox.New(inbox.Config{Dialect: database.SQLite}))
	must(0, in.Migrate(ctx, db))
	people := must(in.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}}}))
	client := must(replhub.Connect(ctx, replhub.Config{URL: os.Getenv("NATS_URL"), Service: "sharing"}))

	users := replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Fields: []string{"id", "name"}, Start: replhub.StartAll()}}}
	// Each change once, and never back to an older state.
	must(0, client.RunBatchSubscriber(ctx, replhub.SubscriberConfig{Registration: users}, people.Handler(db)))
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
