package inbox_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// All that a plain replica needs: what a handler calls with its deliveries.
func ExampleInbox_Replicate() {
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
	handler := replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
		outcome, err := in.Replicate(ctx, db, d, users)
		fmt.Println(d.Op, outcome)
		return err
	})
	for _, d := range exampleDeliveries() {
		if err := handler.Handle(ctx, d); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// update applied
	// update duplicate
	// create stale
}

// Columns may have a value where the payload has none, and one of another form.
func ExampleInbox_NewTable() {
	ctx := context.Background()
	db := exampleDB()
	defer db.Close()
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	users, err := in.NewTable(inbox.TableConfig{
		Table: "users",
		Columns: []inbox.Column{
			{Name: "city", Path: "address.city", Default: "unknown"},
			{Name: "email", Convert: func(value any) (any, error) {
				text, ok := value.(string)
				if !ok {
					return nil, fmt.Errorf("%v is no email address", value)
				}
				return strings.ToUpper(text), nil
			}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()
	d := &replhub.Delivery{Entity: "user", Op: replhub.Create, Key: "42", Data: []byte(`{"id":"42","email":"ada@example.org"}`)}
	if err := users.Apply(ctx, tx, d); err != nil {
		log.Fatal(err)
	}
	var email, city string
	if err := tx.QueryRowContext(ctx, "SELECT email, city FROM users").Scan(&email, &city); err != nil {
		log.Fatal(err)
	}
	fmt.Println(email, city)
	// Output: ADA@EXAMPLE.ORG unknown
}

// An effect in a transaction of pgx.
func ExamplePgx() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, sqltest.Postgres(exampleTB{}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	in, err := inbox.New(inbox.Config{Dialect: database.Postgres})
	if err != nil {
		log.Fatal(err)
	}
	for _, statement := range []string{in.Schema().String(), "CREATE TABLE counts (op text PRIMARY KEY, n int)"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			log.Fatal(err)
		}
	}
	for _, d := range exampleDeliveries() {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			outcome, err := in.Apply(ctx, database.Pgx(tx), d, func() error {
				_, err := tx.Exec(ctx, "INSERT INTO counts VALUES ($1, 1) ON CONFLICT (op) DO UPDATE SET n = counts.n + 1", string(d.Op))
				return err
			})
			fmt.Println(d.Op, outcome)
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// update applied
	// update duplicate
	// create stale
}

// Two services write the same users: head office wins, whatever comes when, and
// among equals the later change does. It is a total order, so all end equal.
func ExamplePolicy() {
	rank := map[string]int{"branch": 1, "head-office": 2}
	policy := inbox.Policy(func(current, incoming inbox.Stamp) bool {
		if rank[current.Origin] != rank[incoming.Origin] {
			return rank[incoming.Origin] > rank[current.Origin]
		}
		return inbox.ByPosition(current, incoming)
	})
	ctx := context.Background()
	db := exampleDB()
	defer db.Close()
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite, Policy: policy})
	if err != nil {
		log.Fatal(err)
	}
	if err := in.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	users, err := inbox.TableFor[struct {
		Email string `json:"email" db:"email"`
	}](in, inbox.TableConfig{Table: "users"})
	if err != nil {
		log.Fatal(err)
	}
	for i, origin := range []string{"branch", "head-office", "branch", "head-office"} {
		d := &replhub.Delivery{
			Entity: "user", Op: replhub.Update, Key: "42", Origin: origin,
			Position: replhub.Position{Epoch: 1, Seq: uint64(i + 1)}, Data: []byte(`{"email":"ada@example.org"}`),
		}
		outcome, err := in.Replicate(ctx, db, d, users)
		fmt.Println(origin, outcome, err)
	}
	// Output:
	// branch applied <nil>
	// head-office applied <nil>
	// branch stale <nil>
	// head-office applied <nil>
}

// exampleTB stands for a *testing.T, which examples have none of.
type exampleTB struct {
	testing.TB
}

func (exampleTB) Helper()                           {}
func (exampleTB) Context() context.Context          { return context.Background() }
func (exampleTB) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
