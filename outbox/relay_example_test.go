package outbox_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/outbox"
)

// An event that the server would never take is set aside, so that it holds
// nothing up. Once its cause is put right, here the server's limit, it is given
// back to the relays.
func ExampleOutbox_Requeue() {
	ctx := context.Background()
	db := exampleFile("requeue")
	defer db.Close()
	box, err := outbox.New(outbox.Config{Dialect: database.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := box.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := box.Enqueue(ctx, tx, replhub.Event{Entity: "photo", Op: replhub.Create, Key: "1", Data: make([]byte, 100_000)}); err != nil {
		log.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		log.Fatal(err)
	}

	// relay publishes by a server until something is so.
	relay := func(server embedded.Config, is func(outbox.Stats) bool) outbox.Stats {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		client, stop := exampleClient(ctx, server)
		defer stop()
		relay, err := box.NewRelay(outbox.RelayConfig{DB: db, Publisher: client, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			log.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- relay.Run(ctx) }()
		stats := until(ctx, relay, is)
		cancel()
		if err := <-done; err != nil {
			log.Fatal(err)
		}
		return stats
	}
	small := relay(embedded.Config{MaxPayload: 64 << 10}, func(s outbox.Stats) bool { return s.SetAside > 0 })
	fmt.Println("published:", small.Published, "set aside:", small.Failed)
	n, err := box.Requeue(ctx, db)
	fmt.Println("requeued:", n, err)
	large := relay(embedded.Config{}, func(s outbox.Stats) bool { return s.Published > 0 })
	fmt.Println("published:", large.Published, "set aside:", large.Failed)
	// Output:
	// published: 0 set aside: 1
	// requeued: 1 <nil>
	// published: 1 set aside: 0
}

// until waits for what Stats tell.
func until(ctx context.Context, relay *outbox.Relay, is func(outbox.Stats) bool) outbox.Stats {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		stats, err := relay.Stats(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if is(stats) {
			return stats
		}
		<-tick.C
	}
}
