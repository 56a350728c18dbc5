package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/internal/testenv/hubstreams"
	"github.com/replhub/replhub/outbox"
)

// A change and its event, in one transaction; a relay publishes what was
// committed.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, stop := exampleClient(ctx, embedded.Config{})
	defer stop()
	db := exampleFile("example")
	defer db.Close()
	box, err := outbox.New(outbox.Config{Dialect: database.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := box.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	relay, err := box.NewRelay(outbox.RelayConfig{DB: db, Publisher: client})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()

	if err := rename(ctx, db, box); err != nil {
		log.Fatal(err)
	}
	stats := until(ctx, relay, func(s outbox.Stats) bool { return s.Published == 1 })
	fmt.Println("published, rows left:", stats.Depth)
	cancel()
	fmt.Println("stopped:", <-done)
	// Output:
	// published, rows left: 0
	// stopped: <nil>
}

// rename is a service's own work.
func rename(ctx context.Context, db *sql.DB, box *outbox.Outbox) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after a commit
	if _, err := tx.ExecContext(ctx, "CREATE TABLE users AS SELECT 42 AS id, 'Ada' AS name"); err != nil {
		return err
	}
	err = box.Enqueue(ctx, tx, replhub.Event{Entity: "user", Op: replhub.Update, Data: []byte(`{"id":42,"name":"Ada"}`)})
	if err != nil {
		return err
	}
	return tx.Commit()
}

// exampleClient is a client of a server of its own; yours connects to replhub dev.
func exampleClient(ctx context.Context, cfg embedded.Config) (client *replhub.Client, stop func()) {
	cfg.Port = embedded.FreePort
	server, err := embedded.Start(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	client, err = replhub.Connect(ctx, replhub.Config{URL: server.ClientURL(), Service: "profile"})
	if err != nil {
		log.Fatal(err)
	}
	nc, err := server.Connect()
	if err != nil {
		log.Fatal(err)
	}
	if err := hubstreams.Create(ctx, nc); err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.Close()
		nc.Close()
		_ = server.Close()
	}
}
