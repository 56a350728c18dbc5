//go:build long

package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/replhubtest"
)

// A million rows of PostgreSQL are compared with a million rows of PostgreSQL: how many
// bytes cross NATS, how long it takes beside a sequential read of both tables, and what is
// found under 500 changes a second. REPLHUB_VERIFY_ROWS says how
// many rows; with REPLHUB_VERIFY_STILL the rows are compared once, without changes.
func TestVerifyAtScale(t *testing.T) {
	rows, err := strconv.Atoi(os.Getenv("REPLHUB_VERIFY_ROWS"))
	if err != nil {
		rows = 1_000_000
	}
	owner := open(t, database.Postgres)
	const columns = "id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, balance numeric(12,2) NOT NULL, active boolean NOT NULL, seen timestamptz NOT NULL, address jsonb NOT NULL"
	create(t, owner, "CREATE TABLE people ("+columns+")")
	fill := fmt.Sprintf(`INSERT INTO people SELECT n, 'name ' || n, 'user' || n || '@example.com', n %% 100000 / 100.0, n %% 3 = 0,
		'2024-01-01T00:00:00Z'::timestamptz + n * interval '1 second', jsonb_build_object('city', 'city ' || n %% 1000, 'zip', n %% 99999) FROM generate_series(1, %d) n`, rows)
	create(t, owner, fill)
	r := newReplica(t, inbox.Config{})
	r.exec(t, "CREATE TABLE people ("+columns+")")
	r.exec(t, fill)
	r.exec(t, "VACUUM ANALYZE people")
	create(t, owner, "VACUUM ANALYZE people")
	table, err := r.inbox.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{
		{Name: "name"}, {Name: "email"}, {Name: "balance"}, {Name: "active"}, {Name: "seen"}, {Name: "address"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	hub := replhubtest.Start(t)
	conn, err := nats.Connect(hub.URL())
	if err != nil {
		t.Fatal(err)
	}
	serving, err := replhub.Connect(t.Context(), replhub.Config{Conn: conn, Service: "accounts"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
		serving.Close()
		conn.Close()
	}()
	running.Go(func() {
		_ = serving.ServeRows(ctx, "user", replhub.Rows{All: rowsOfPeople(owner), Of: peopleOf(owner)})
	})
	client := hub.Client(t, "sharing", func(c *replhub.Config) { c.Logger = slog.New(slog.DiscardHandler); c.Timeout = 20 * time.Second })
	sub := replhub.SubscriberConfig{Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}}}
	s, err := replhub.NewBatchSubscriber(client, sub, table.Handler(r.DB))
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { _ = s.Run(ctx) })
	<-s.Ready()
	// The baseline: each table is read from its first row to its last, by a client.
	var bytes int
	var baseline time.Duration
	sequential := func() {
		began := time.Now()
		bytes = 0
		for _, db := range []*sql.DB{owner, r.DB} {
			bytes += readAll(t, db)
		}
		baseline = time.Since(began)
		t.Logf("%d rows, %d bytes of JSON a table; both read in sequence in %s", rows, bytes/2, baseline.Round(time.Millisecond))
	}
	sequential()
	verify := func(what string) *inbox.Verified {
		before, began := conn.Stats(), time.Now()
		var most uint64
		got, err := table.Verify(t.Context(), r.DB, inbox.VerifyConfig{Client: client, Entity: "user", Progress: func(inbox.VerifyProgress) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
		}})
		if err != nil {
			t.Fatal(err)
		}
		// What the owner sends comes to the hub, and the hub sends about as much to the verifier.
		sent := conn.Stats().OutBytes - before.OutBytes
		t.Logf("%s: %s, %.1f times the sequential read; %d bytes from the owner, %.2f %% of the table, and as many from the hub; heap at most %d MiB; missing %d, extra %d, different %d, moving %d, partly %v",
			what, time.Since(began).Round(time.Millisecond), float64(time.Since(began))/float64(baseline), sent, 100*float64(sent)/float64(bytes/2), most>>20, got.Missing, got.Extra, got.Different, got.Moving, got.Partly)
		return got
	}
	if got := verify("equal"); !got.Equal {
		t.Errorf("%+v", got)
	}
	if os.Getenv("REPLHUB_VERIFY_STILL") != "" {
		for range 2 { // in turns, since a machine is not equally fast all the time
			sequential()
			verify("equal")
		}
		return
	}
	stop := changesOfPeople(t, owner, hub.Client(t, "accounts"), rows)
	if got := verify("equal, 500 changes a second"); !got.Equal {
		t.Errorf("%+v", got)
	}
	want := []string{"-1", "-2", "1", "10", "11", "12", "2", "20", "21", "22", "23", "3", "4", "5"}
	r.exec(t, "DELETE FROM people WHERE id <= 5")
	create(t, owner, "UPDATE people SET name = 'newer' WHERE id BETWEEN 10 AND 12")
	r.exec(t, "UPDATE people SET balance = balance + 0.01 WHERE id BETWEEN 20 AND 23")
	r.exec(t, "INSERT INTO people SELECT -n, 'x', 'x', 0, true, now(), '{}' FROM generate_series(1, 2) n")
	got := verify("14 rows differ, 500 changes a second")
	if !slices.Equal(got.Keys, want) || got.Missing != 5 || got.Extra != 2 || got.Different != 7 {
		t.Errorf("%+v", got)
	}
	began := time.Now()
	after, err := table.Repair(t.Context(), r.DB, inbox.VerifyConfig{Client: client, Entity: "user"}, got.Keys)
	if err != nil || !after.Equal {
		t.Errorf("%+v, %v", after, err)
	}
	t.Logf("repaired in %s", time.Since(began).Round(time.Millisecond))
	if got := verify("after the repair, 500 changes a second"); !got.Equal {
		t.Errorf("%+v", got)
	}
	stop()
}

const personJSON = `json_build_object('id', id, 'name', name, 'email', email, 'balance', balance, 'active', active, 'seen', seen, 'address', address)::text`

// rowsOfPeople streams the rows, without a limit.
func rowsOfPeople(db *sql.DB) replhub.SnapshotFunc {
	return func(ctx context.Context, after string, yield func(replhub.Event) error) error {
		from := int64(-1 << 62)
		if after != "" {
			from, _ = strconv.ParseInt(after, 10, 64)
		}
		rows, err := db.QueryContext(ctx, "SELECT id, "+personJSON+" FROM people WHERE id > $1 ORDER BY id", from)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var data []byte
			if err := rows.Scan(&id, &data); err != nil {
				return err
			}
			if err := yield(replhub.Event{Key: strconv.FormatInt(id, 10), Data: data}); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// peopleOf looks up rows.
func peopleOf(db *sql.DB) replhub.LookupFunc {
	return func(ctx context.Context, keys []string, yield func(replhub.Event) error) error {
		rows, err := db.QueryContext(ctx, "SELECT id::text, "+personJSON+" FROM people WHERE id = ANY ($1::bigint[])", "{"+strings.Join(keys, ",")+"}")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var ev replhub.Event
			if err := rows.Scan(&ev.Key, &ev.Data); err != nil {
				return err
			}
			if err := yield(ev); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// readAll reads a table as JSON, and returns its bytes.
func readAll(t *testing.T, db *sql.DB) (bytes int) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT "+personJSON+" FROM people")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			t.Fatal(err)
		}
		bytes += len(data)
	}
	return bytes
}

// changesOfPeople makes 500 changes a second, each committed before it is published.
func changesOfPeople(t *testing.T, db *sql.DB, client *replhub.Client, rows int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		began := time.Now()
		for n := 0; ctx.Err() == nil; n += 25 {
			var events []replhub.Event
			id := 100 + (n*7919)%(rows-200)
			changed, err := db.QueryContext(ctx, "UPDATE people SET balance = (id + $2) % 100000 / 100.0, name = 'changed ' || $2::text WHERE id BETWEEN $1 AND $1 + 24 RETURNING id, "+personJSON, id, n)
			if err != nil {
				break
			}
			for changed.Next() {
				var id int64
				var data []byte
				if err := changed.Scan(&id, &data); err == nil {
					events = append(events, replhub.Event{Entity: "user", Op: replhub.Update, Key: strconv.FormatInt(id, 10), Data: data})
				}
			}
			_ = changed.Close()
			for _, ev := range events {
				if _, err := client.Publish(context.Background(), ev); err != nil {
					t.Error(err)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Until(began.Add(time.Duration(n+25) * 2 * time.Millisecond))):
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
