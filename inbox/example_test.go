package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// exampleDB is a database in memory, with a table of users.
func exampleDB() *sql.DB {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	if _, err := db.ExecContext(context.Background(), "CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT, city TEXT)"); err != nil {
		log.Fatal(err)
	}
	return db
}

// exampleDeliveries are an update that comes twice, and a create that comes late.
func exampleDeliveries() []*replhub.Delivery {
	created := &replhub.Delivery{
		Entity: "user", Op: replhub.Create, Key: "42", Position: replhub.Position{Epoch: 1, Seq: 7},
		Data: []byte(`{"id":"42","email":"ada@example.org"}`),
	}
	updated := &replhub.Delivery{
		Entity: "user", Op: replhub.Update, Key: "42", Position: replhub.Position{Epoch: 1, Seq: 9},
		Data: []byte(`{"id":"42","email":"ada@example.net","address":{"city":"London"}}`),
	}
	return []*replhub.Delivery{updated, updated, created}
}

func ExampleInbox_Do() {
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
	for _, d := range exampleDeliveries() {
		outcome, err := in.Do(ctx, db, d, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO users (id, email) VALUES (?, json_extract(?, '$.email')) ON CONFLICT (id) DO UPDATE SET email = excluded.email", d.Key, string(d.Data))
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.Op, outcome)
	}
	// Output:
	// update applied
	// update duplicate
	// create stale
}

func ExampleInbox_Apply() {
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
	users, err := in.NewTable(inbox.TableConfig{
		Table:   "users",
		Columns: []inbox.Column{{Name: "email"}, {Name: "city", Path: "address.city"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	// All in one transaction: after an error, none of it is applied.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()
	for _, d := range exampleDeliveries() {
		_, err := in.Apply(ctx, tx, d, func() error {
			return users.Apply(ctx, tx, d)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		log.Fatal(err)
	}
	var email, city string
	if err := db.QueryRowContext(ctx, "SELECT email, city FROM users").Scan(&email, &city); err != nil {
		log.Fatal(err)
	}
	fmt.Println(email, city)
	fmt.Printf("%+v\n", in.Stats())
	// Output:
	// ada@example.net London
	// {Applied:1 Duplicate:1 Stale:1 Tombstones:0 Retries:0 Regressed:0 WaitedForRow:0 WaitedForUnique:0}
}

func ExampleTableFor() {
	type Address struct {
		City string `json:"city" db:"city"`
	}
	type User struct {
		ID      string  `json:"id" db:"id"`
		Email   string  `json:"email" db:"email"`
		Address Address `json:"address"`
	}
	ctx := context.Background()
	db := exampleDB()
	defer db.Close()
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	users, err := inbox.TableFor[User](in, inbox.TableConfig{Table: "users"})
	if err != nil {
		log.Fatal(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()
	if err := users.Apply(ctx, tx, exampleDeliveries()[0]); err != nil {
		log.Fatal(err)
	}
	var email, city string
	if err := tx.QueryRowContext(ctx, "SELECT email, city FROM users WHERE id = '42'").Scan(&email, &city); err != nil {
		log.Fatal(err)
	}
	fmt.Println(email, city)
	// Output: ada@example.net London
}
