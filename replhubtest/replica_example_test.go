package replhubtest_test

import (
	"context"
	"database/sql"
	"fmt"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/replhubtest"
)

// A replica in a database, made twice from the same events: once as they come,
// once more when the server delivers all of them again.
func ExampleHub_Redeliver() {
	t := new(exampleT)
	defer t.end()

	hub := replhubtest.Start(t)
	r := newSQLReplica(t)
	hub.Subscribe(t, "sharing", replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}, Queue: replhub.Queue{Order: replhub.OrderKey}},
	}, replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
		_, err := r.in.Replicate(ctx, r.db, d, r.people)
		return err
	}))

	hub.Publish(t,
		replhub.Event{Entity: "user", Op: replhub.Create, Key: "1", Data: []byte(`{"name":"Ada"}`)},
		replhub.Event{Entity: "user", Op: replhub.Create, Key: "2", Data: []byte(`{"name":"Bob"}`)},
		replhub.Event{Entity: "user", Op: replhub.Delete, Key: "2"},
	)
	hub.AwaitDrained(t, "sharing")
	fmt.Println("delivered again:", hub.Redeliver(t, "sharing", 1))
	hub.AwaitDrained(t, "sharing")

	replhubtest.Converged(t,
		replhubtest.SQL(r.db, "SELECT '1' AS id, 'Ada' AS name"),
		replhubtest.SQL(r.db, "SELECT id, name FROM people"))
	stats := r.in.Stats()
	fmt.Println("applied:", stats.Applied, "duplicate:", stats.Duplicate, "stale:", stats.Stale)
	// Output:
	// delivered again: 3
	// applied: 3 duplicate: 2 stale: 1
}

// One of two instances dies; the other has all of the rest.
func ExampleInstance_Kill() {
	t := new(exampleT)
	defer t.end()

	hub := replhubtest.Start(t)
	replica := &names{all: make(map[string]string)}
	subscribe := func() *replhubtest.Instance {
		return hub.Subscribe(t, "sharing", replhub.SubscriberConfig{
			Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}},
		}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			replica.put(d.Key, string(d.Data))
			return nil
		}))
	}
	first := subscribe()
	subscribe()
	first.Kill()
	for i := range 10 {
		hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Create, Key: fmt.Sprint(i)})
	}
	replhubtest.Await(t, "ten users", func() error {
		if all, _ := replica.rows(t.Context()); len(all) < 10 {
			return fmt.Errorf("%d so far", len(all))
		}
		return nil
	})
	fmt.Println("dead letters:", hub.DeadLetters(t, "sharing"))
	// Output: dead letters: 0
}

// sqlReplica is a replica in a database.
type sqlReplica struct {
	db     *sql.DB
	in     *inbox.Inbox
	people *inbox.Table
}

func newSQLReplica(t *exampleT) *sqlReplica {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	r := &sqlReplica{db: db}
	if r.in, err = inbox.New(inbox.Config{Dialect: database.SQLite}); err != nil {
		t.Fatalf("inbox: %v", err)
	}
	if r.people, err = r.in.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}}}); err != nil {
		t.Fatalf("table: %v", err)
	}
	for _, statement := range []string{r.in.Schema().String(), "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT)"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("create tables: %v", err)
		}
	}
	return r
}
