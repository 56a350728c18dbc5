package inbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
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

// A table through pgx itself: its catalog is read, and each type is written.
func TestTableByPgx(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, sqltest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `CREATE TABLE v (id bigint PRIMARY KEY, i int, n numeric(5,2), f real, b boolean, bin bytea, d date, z timestamptz, c time, u uuid, j jsonb, a text[], bits bit(2), e inet)`); err != nil {
		t.Fatal(err)
	}
	var columns []inbox.Column
	for _, name := range []string{"i", "n", "f", "b", "bin", "d", "z", "c", "u", "j", "a", "bits", "e"} {
		columns = append(columns, inbox.Column{Name: name})
	}
	table, err := inboxOn(t, database.Postgres).NewTable(inbox.TableConfig{Table: "v", Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	payload := `{"i":1e2,"n":1.5,"f":0.25,"b":true,"bin":"AQID","d":"2024-02-29","z":"2024-01-02T03:04:05.5+01:00","c":"12:30:00",` +
		`"u":"f47ac10b-58cc-4372-a567-0e02b2c3d479","j":{"a":[1]},"a":["x","y z"],"bits":"10","e":"192.0.2.1"}`
	const want = `(42,100,1.50,0.25,t,"\\x010203",2024-02-29,"2024-01-02 02:04:05.5",12:30:00,f47ac10b-58cc-4372-a567-0e02b2c3d479,"{""a"": [1]}","{x,""y z""}",10,192.0.2.1)`
	for range 2 {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			return table.Apply(ctx, database.Pgx(tx), &replhub.Delivery{Entity: "user", Op: replhub.Update, Key: "42", Data: []byte(payload)})
		})
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := conn.QueryRow(ctx, "SELECT ROW(id, i, n, f, b, bin, d, z AT TIME ZONE 'UTC', c, u, j, a, bits, e)::text FROM v").Scan(&got); err != nil || got != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}
