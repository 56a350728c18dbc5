package apply_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqltest.Main(m)) }

// kinds are the databases that the tests run on.
var kinds = []struct {
	name, driver string
	dsn          func(testing.TB) string
}{
	{"postgres", "pgx", sqltest.Postgres},
	{"mariadb", "mysql", sqltest.MariaDB},
	{"sqlite", "sqlite", sqltest.SQLite},
}

// replica is a database that a test applies to.
type replica struct {
	*sql.DB
	name, dsn string
}

func onEach(t *testing.T, test func(t *testing.T, r *replica)) {
	t.Helper()
	for i := range kinds {
		t.Run(kinds[i].name, func(t *testing.T) {
			t.Parallel() // they wait most of their time
			test(t, newReplica(t, i))
		})
	}
}

func newReplica(t *testing.T, kind int) *replica {
	t.Helper()
	dsn := kinds[kind].dsn(t)
	db, err := sql.Open(kinds[kind].driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &replica{DB: db, name: kinds[kind].name, dsn: dsn}
	if r.name == "mariadb" {
		r.exec(t, "ALTER DATABASE COLLATE utf8mb4_nopad_bin")
	}
	return r
}

func (r *replica) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := r.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// rows are a query's, a line each.
func (r *replica) rows(t *testing.T, query string) string {
	t.Helper()
	rows, err := r.QueryContext(t.Context(), query)
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	names, _ := rows.Columns()
	var lines []string
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(values))
		for i, v := range values {
			if text, ok := v.([]byte); ok {
				v = string(text)
			}
			cells[i] = fmt.Sprint(v)
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if err := rows.Err(); err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}

// owner is a service that publishes its rows and serves them to snapshots, as a capture
// of its tables does.
type owner struct {
	hub    *replhubtest.Hub
	client *replhub.Client

	mu      sync.Mutex // guards what follows
	rows    map[string]map[string]any
	version int64
}

func newOwner(t *testing.T, hub *replhubtest.Hub) *owner {
	t.Helper()
	return &owner{hub: hub, client: hub.Client(t, "user-profile"), rows: map[string]map[string]any{}}
}

// put changes a row and publishes the whole of it.
func (o *owner) put(t *testing.T, entity, key string, row map[string]any) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version++
	op := replhub.Create
	if o.rows[entity+"/"+key] != nil {
		op = replhub.Update
	}
	o.rows[entity+"/"+key] = row
	if row == nil {
		op = replhub.Delete
		delete(o.rows, entity+"/"+key)
	}
	o.publish(t, replhub.Event{Entity: entity, Op: op, Key: key, Version: o.version}, row)
}

func (o *owner) publish(t *testing.T, ev replhub.Event, row map[string]any) {
	t.Helper()
	if row != nil {
		var err error
		if ev.Data, err = json.Marshal(row); err != nil {
			t.Fatal(err)
		}
	} else {
		ev.Data = fmt.Appendf(nil, `{"id":%q}`, ev.Key)
	}
	if _, err := o.client.Publish(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
}

// serve serves an entity's rows, until the test ends.
func (o *owner) serve(t *testing.T, entity string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := o.client.ServeSnapshot(ctx, entity, func(_ context.Context, after string, yield func(replhub.Event) error) error {
			for _, ev := range o.sorted(entity, after) {
				if err := yield(ev); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

func (o *owner) sorted(entity, after string) []replhub.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	var keys []string
	for name := range o.rows {
		if key, ok := strings.CutPrefix(name, entity+"/"); ok && key > after {
			keys = append(keys, key)
		}
	}
	sortStrings(keys)
	events := make([]replhub.Event, 0, len(keys))
	for _, key := range keys {
		data, err := json.Marshal(o.rows[entity+"/"+key])
		if err != nil {
			panic(err) // rows of the tests' own
		}
		events = append(events, replhub.Event{Key: key, Data: data, Version: o.version})
	}
	return events
}

// config is that of a service on a replica.
func (r *replica) config(hub *replhubtest.Hub, tables ...apply.Table) apply.Config {
	return apply.Config{
		Service: "sharing", NATS: replhub.Config{URL: hub.URL()}, DSN: r.dsn, Tables: tables, Start: replhub.StartAll(), Workers: 2,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// instance is a run in the background.
type instance struct {
	stop func()
	done chan struct{}
	err  error
}

// start runs an instance until the test ends.
func start(t *testing.T, cfg apply.Config) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(i.done)
		_, i.err = apply.Run(ctx, cfg)
	}()
	t.Cleanup(func() {
		cancel()
		<-i.done
	})
	return i
}

// becomes waits until a query has the rows.
func (r *replica) becomes(t *testing.T, query, want string) {
	t.Helper()
	replhubtest.Await(t, "rows of the replica", func() error {
		if got := r.rows(t, query); got != want {
			return fmt.Errorf("%s:\n%s\nwant:\n%s", query, got, want)
		}
		return nil
	})
}
