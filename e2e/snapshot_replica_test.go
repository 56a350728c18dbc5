package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

const (
	// replicaInstances compete for the lane, so that nothing but the inbox puts
	// the changes of a key into order.
	replicaInstances = 2
	replicaWorkers   = 8
)

// tableReplica is a service that replicates users into a database of its own.
type tableReplica struct {
	t     *testing.T
	pool  *pgxpool.Pool
	db    *sql.DB // over pool
	inbox *inbox.Inbox
	users *inbox.Table
}

func newTableReplica(t *testing.T) *tableReplica {
	t.Helper()
	r := &tableReplica{t: t}
	var err error
	if r.pool, err = pgxpool.New(t.Context(), fmt.Sprintf("%s pool_max_conns=%d", sqltest.Postgres(t), replicaInstances*replicaWorkers)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pool.Close)
	r.db = stdlib.OpenDBFromPool(r.pool)
	t.Cleanup(func() { _ = r.db.Close() })
	if _, err = r.db.ExecContext(t.Context(), `CREATE TABLE people (id text COLLATE "C" PRIMARY KEY, name text, version bigint)`); err != nil {
		t.Fatal(err)
	}
	if r.inbox, err = inbox.New(inbox.Config{}); err != nil {
		t.Fatal(err)
	}
	if err = r.inbox.Migrate(t.Context(), r.db); err != nil {
		t.Fatal(err)
	}
	r.users, err = r.inbox.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}, {Name: "version"}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// subscribe runs the service's instances until the returned function is called.
// It returns once the first is registered, which asks for the snapshot.
func (r *tableReplica) subscribe(url string) (stop func()) {
	r.t.Helper()
	var stops []func()
	for range replicaInstances {
		client, err := replhub.Connect(r.t.Context(), replhub.Config{URL: url, Service: "billing", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(client.Close)
		s, err := replhub.NewBatchSubscriber(client, replhub.SubscriberConfig{
			Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartSnapshot()}}},
			Workers:      replicaWorkers,
		}, r.users.Handler(r.db))
		if err != nil {
			r.t.Fatal(err)
		}
		stops = append(stops, background(r.t, s.Run))
		<-s.Ready()
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// table is what the replica has.
func (r *tableReplica) table() map[string]string {
	r.t.Helper()
	return usersOf(r.t, r.pool, `SELECT id, name, version FROM people`)
}

// usersOf are name and version by id.
func usersOf(t *testing.T, db *pgxpool.Pool, query string) map[string]string {
	t.Helper()
	rows, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	var id, name string
	var version int64
	_, err = pgx.ForEachRow(rows, []any{&id, &name, &version}, func() error {
		all[id] = fmt.Sprintf("version %d, name %s", version, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// awaitApplied waits until the service has acknowledged all that its lane holds
// now, while more comes.
func awaitApplied(w *harness.World) {
	stream, err := w.JS.Stream(context.Background(), "SUB_billing")
	w.Eventually("the lane's stream", settleWithin, func() error { return err })
	last := stream.CachedInfo().State.LastSeq
	w.Eventually("all copies applied", 2*settleWithin, func() error {
		consumer, err := stream.Consumer(context.Background(), "workers")
		if err != nil {
			return err
		}
		if floor := consumer.CachedInfo().AckFloor.Stream; floor < last {
			return fmt.Errorf("acknowledged up to %d of %d", floor, last)
		}
		return nil
	})
}
