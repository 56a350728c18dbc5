package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// TestSubscribersDatabaseFailsOver kills the database of a service, and promotes its
// standby. A synchronous standby has every effect whose copy was acknowledged. An
// asynchronous one may lack the last effects, with the inbox rows of the same transactions:
// a rewind to before them makes these effects, and no other one again.
func TestSubscribersDatabaseFailsOver(t *testing.T) {
	for name, synchronous := range map[string]bool{"synchronous": true, "asynchronous": false} {
		t.Run(name, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Seed: 95})
			w.StartHub("h1")
			w.Register("billing", want("user"))
			primary := sqltest.OwnPostgres(t)
			db := openReplica(t, primary.DSN(), true)
			standby := sqltest.Standby(t, primary, synchronous)
			stop := db.subscribe(w.NATS.URL())

			const before, behind = 40, 20
			publishUsers(t, w.NATS.URL(), 0, before)
			awaitUsers(w, db, before)
			if synchronous {
				publishUsers(t, w.NATS.URL(), before, behind)
				awaitUsers(w, db, before+behind)
			} else {
				awaitCaughtUp(t, w, standby, before)
				standby.Stop(syscall.SIGINT) // the last effects do not reach it
				publishUsers(t, w.NATS.URL(), before, behind)
				awaitUsers(w, db, before+behind)
			}
			awaitApplied(w)
			primary.Crash()
			stop()
			if !synchronous {
				standby.Start()
			}
			standby.Promote()

			db = openReplica(t, standby.DSN(), false)
			stop = db.subscribe(w.NATS.URL())
			defer stop()
			if !synchronous {
				if got := len(db.table()); got != before {
					t.Errorf("the standby has %d rows, and the test wants it to lack the last %d", got, behind)
				}
				w.Eventually("a rewind", settleWithin, func() error { return w.Call("replhub.rewind.billing", `{"to":1}`, nil) })
			}
			publishUsers(t, w.NATS.URL(), before+behind, 1)
			awaitUsers(w, db, before+behind+1)
			var most int
			if err := db.pool.QueryRow(t.Context(), `SELECT max(n) FROM (SELECT count(*) AS n FROM effects GROUP BY id) AS each`).Scan(&most); err != nil || most != 1 {
				t.Errorf("an effect was made %d times, %v", most, err)
			}
		})
	}
}

// openReplica is the replica in a database that exists, made there the first time.
func openReplica(t *testing.T, dsn string, first bool) *tableReplica {
	t.Helper()
	r := &tableReplica{t: t}
	var err error
	if r.pool, err = pgxpool.New(t.Context(), fmt.Sprintf("%s pool_max_conns=%d", dsn, replicaInstances*replicaWorkers)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pool.Close)
	r.db = stdlib.OpenDBFromPool(r.pool)
	t.Cleanup(func() { _ = r.db.Close() })
	if r.inbox, err = inbox.New(inbox.Config{}); err != nil {
		t.Fatal(err)
	}
	if first {
		// The trigger counts the effects that were made.
		if _, err := r.db.ExecContext(t.Context(), `CREATE TABLE people (id text COLLATE "C" PRIMARY KEY, name text, version bigint);
			CREATE TABLE effects (id text);
			CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO effects VALUES (NEW.id); RETURN NEW; END $$;
			CREATE TRIGGER note AFTER INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION note()`); err != nil {
			t.Fatal(err)
		}
		if err := r.inbox.Migrate(t.Context(), r.db); err != nil {
			t.Fatal(err)
		}
	}
	if r.users, err = r.inbox.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}, {Name: "version"}}}); err != nil {
		t.Fatal(err)
	}
	return r
}

// publishUsers publishes a row for each of some numbers.
func publishUsers(t *testing.T, url string, from, count int) {
	t.Helper()
	client, err := replhub.Connect(t.Context(), replhub.Config{URL: url, Service: "accounts", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := from; i < from+count; i++ {
		key := fmt.Sprint("k", i)
		if _, err := client.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: fmt.Appendf(nil, `{"id":%q,"name":"n","version":1}`, key)}); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitUsers waits until the replica has so many rows.
func awaitUsers(w *harness.World, r *tableReplica, want int) {
	w.Eventually(fmt.Sprint(want, " rows in the replica"), settleWithin, func() error {
		if got := len(r.table()); got != want {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
}

// awaitCaughtUp waits until a standby, which answers queries, has so many rows.
func awaitCaughtUp(t *testing.T, w *harness.World, standby *sqltest.Server, want int) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), standby.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	w.Eventually("the standby", settleWithin, func() error {
		var n int
		if err := pool.QueryRow(context.Background(), `SELECT count(*) FROM people`).Scan(&n); err != nil || n != want {
			return fmt.Errorf("%d rows, %w", n, err)
		}
		return nil
	})
}
