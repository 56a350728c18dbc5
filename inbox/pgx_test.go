package inbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/sqltest"
)

// A pgx.Tx does what a *sql.Tx does, in both of its ways.
func TestPgx(t *testing.T) {
	for name, policy := range map[string]inbox.Policy{"by upsert": nil, "by lock": inbox.ByPosition} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			conn, err := pgx.Connect(ctx, sqltest.Postgres(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.WithoutCancel(ctx))
			in, err := inbox.New(inbox.Config{Policy: policy})
			if err != nil {
				t.Fatal(err)
			}
			users, err := in.NewTable(inbox.TableConfig{Table: "users", Columns: []inbox.Column{{Name: "name"}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{in.Schema().String(), "CREATE TABLE users (id text PRIMARY KEY, name text)"} {
				if _, err := conn.Exec(ctx, statement); err != nil {
					t.Fatal(err)
				}
			}
			failure := errors.New("no")
			for _, s := range []struct {
				d    *replhub.Delivery
				fail error
				want inbox.Outcome
			}{
				{user(replhub.Create, "k", 2), failure, 0},
				{user(replhub.Create, "k", 2), nil, inbox.Applied},
				{user(replhub.Create, "k", 2), nil, inbox.Duplicate},
				{user(replhub.Update, "k", 1), nil, inbox.Stale},
				{user(replhub.Update, "k", 3), nil, inbox.Applied},
			} {
				var outcome inbox.Outcome
				err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
					outcome, err = in.Apply(ctx, database.Pgx(tx), s.d, func() error {
						return errors.Join(users.Apply(ctx, database.Pgx(tx), s.d), s.fail)
					})
					return err
				})
				if outcome != s.want || !errors.Is(err, s.fail) {
					t.Errorf("%d: %v, %v, want %v", s.d.Position.Seq, outcome, err, s.want)
				}
			}
			var name string
			if err := conn.QueryRow(ctx, "SELECT name FROM users").Scan(&name); err != nil || name != "e3" {
				t.Errorf("name %q, %v", name, err)
			}
			if got, want := in.Stats(), (inbox.Stats{Applied: 2, Duplicate: 1, Stale: 1}); got != want {
				t.Errorf("counted %+v, want %+v", got, want)
			}
		})
	}
}
