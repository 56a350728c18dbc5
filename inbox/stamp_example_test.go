package inbox_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// A service that writes what others write too asks, in the transaction of its
// write, what that has to be newer than.
func ExampleInbox_Current() {
	ctx := context.Background()
	db := exampleDB()
	defer db.Close()
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite, Policy: inbox.ByVersion})
	if err != nil {
		log.Fatal(err)
	}
	if err := in.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	theirs := &replhub.Delivery{
		Entity: "user", Op: replhub.Update, Key: "42", Version: 7, Position: replhub.Position{Epoch: 1, Seq: 1},
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after a commit
	if _, err := in.Apply(ctx, tx, theirs, func() error { return nil }); err != nil {
		log.Fatal(err)
	}

	current, err := in.Current(ctx, tx, "user", "42")
	if err != nil {
		log.Fatal(err)
	}
	mine := replhub.Event{Entity: "user", Op: replhub.Update, Key: "42", Version: current.Version + 1}
	fmt.Println(mine.Version, tx.Commit()) // with the write and outbox.Enqueue before the commit
	// Output: 8 <nil>
}

// Deletes leave a tombstone, and a late update does not bring the row back. Old
// ones may go.
func ExampleInbox_Purge() {
	ctx := context.Background()
	db := exampleDB()
	defer db.Close()
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := in.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	users, err := in.NewTable(inbox.TableConfig{Table: "users", Columns: []inbox.Column{{Name: "email"}}})
	if err != nil {
		log.Fatal(err)
	}
	late := &replhub.Delivery{Entity: "user", Op: replhub.Update, Key: "42", Position: replhub.Position{Epoch: 1, Seq: 8}, Data: []byte(`{"email":"ada@example.org"}`)}
	deleted := &replhub.Delivery{Entity: "user", Op: replhub.Delete, Key: "42", Position: replhub.Position{Epoch: 1, Seq: 9}}
	for _, d := range []*replhub.Delivery{deleted, late} {
		outcome, err := in.Replicate(ctx, db, d, users)
		fmt.Println(d.Op, outcome, err)
	}
	const month = 30 * 24 * time.Hour
	for _, age := range []time.Duration{month, 0} {
		n, err := in.Purge(ctx, db, age)
		fmt.Println(n, "of more than", age, err)
	}
	// Output:
	// delete applied <nil>
	// update stale <nil>
	// 0 of more than 720h0m0s <nil>
	// 1 of more than 0s <nil>
}

// The policies that come with the package, here for one pair of changes.
func ExampleByVersion() {
	noon := time.Date(2027, time.March, 1, 12, 0, 0, 0, time.UTC)
	current := inbox.Stamp{Version: 8, Time: noon, Position: replhub.Position{Epoch: 1, Seq: 100}}
	incoming := inbox.Stamp{Version: 7, Time: noon.Add(time.Second), Position: replhub.Position{Epoch: 1, Seq: 101}}
	fmt.Println(inbox.ByVersion(current, incoming), inbox.ByTime(current, incoming), inbox.ByPosition(current, incoming))
	// Output: false true true
}
