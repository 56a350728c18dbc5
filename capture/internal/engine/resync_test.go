package engine_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// userRows reads the table users in a snapshot. Before each row it calls beside.
type userRows struct {
	dsn    string
	beside func(n int) error
}

func (r userRows) Rows(ctx context.Context, snapshot string, yield func(change.Row) error) error {
	db, err := pgx.Connect(ctx, r.dsn)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	return pgx.BeginTxFunc(ctx, db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+snapshot+"'"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT id::text, name FROM users ORDER BY id")
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ ID, Name string }])
		if err != nil {
			return err
		}
		rel := change.Relation{Name: "users", Identity: 'd', Columns: []change.Column{{Name: "id", Identity: true}, {Name: "name"}, {Name: "note"}}}
		table, err := plainTables{}.Table(ctx, &rel)
		if err != nil {
			return err
		}
		for n, row := range all {
			if err := r.beside(n); err != nil {
				return err
			}
			text := func(s string) change.Value { return change.Value{Kind: change.Text, Text: []byte(s)} }
			if err := yield(change.Row{Name: "public.users", Table: table, Tuple: change.Tuple{text(row.ID), text(row.Name), {}}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// A resync publishes every row with a version above all before, and below all that
// follow, also of changes beside the resync. One that was cut off begins again.
func TestResync(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	e, stop := b.run()
	b.exec("INSERT INTO users VALUES (1, 'Ada', NULL), (2, 'Bob', NULL)")
	b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`, `users.create 2 {"id":"2","name":"Bob","note":null}`)
	b.awaitState(e, engine.Capturing)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.dropSlot()
	b.exec("UPDATE users SET name = 'Bob, lost' WHERE id = 2")

	again := engine.New(b.config())
	broken := errors.New("the database went away")
	cut := true
	rows := userRows{b.dsn, func(n int) error {
		if n == 1 && cut {
			cut = false
			return broken
		}
		if n == 1 {
			b.exec("UPDATE users SET name = 'Ada, beside' WHERE id = 1")
		}
		return nil
	}}
	if err := again.Resync(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	b.run()
	got := b.await(
		`users.create 1 {"id":"1","name":"Ada","note":null}`,
		`users.create 2 {"id":"2","name":"Bob","note":null}`,
		`users.update 1 {"id":"1","name":"Ada","note":null}`,
		`users.update 2 {"id":"2","name":"Bob, lost","note":null}`,
		`users.update 1 {"id":"1","name":"Ada, beside","note":null}`,
	)
	version := func(i int) int64 {
		v, err := strconv.ParseInt(got[i].version, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for i, above := range []int{1: 0, 2: 1, 3: 1, 4: 2} {
		if i > 0 && version(i) <= version(above) {
			t.Errorf("event %d has version %d, event %d %d", i, version(i), above, version(above))
		}
	}
}

// A resync that was cut off is told, until one is complete.
func TestResyncCutOff(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	b.exec("INSERT INTO users VALUES (1, 'Ada', NULL), (2, 'Bob', NULL)")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := engine.New(b.config()).Resync(ctx, userRows{b.dsn, func(n int) error {
		if n == 1 {
			cancel()
			return ctx.Err()
		}
		return nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := engine.New(b.config()).Run(t.Context()); engine.ProblemOf(err) != engine.ResyncCut {
		t.Errorf("then %v", err)
	}
	whole := userRows{b.dsn, func(int) error { return nil }}
	if err := engine.New(b.config()).Resync(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	e, _ := b.run()
	b.awaitState(e, engine.Capturing)
}
