package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

func TestCommittedEventsLeaveAndOthersDoNot(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.run(p.bus.client)
		p.enqueue(user("1", "first"), user("2", "second"))
		back := p.begin()
		if err := p.box.Enqueue(t.Context(), back, user("3", "never")); err != nil {
			t.Fatal(err)
		}
		if err := back.Rollback(); err != nil {
			t.Fatal(err)
		}
		p.enqueue(user("1", "third"))
		p.emptied()
		got := map[string]bool{}
		for _, m := range p.bus.stored(3) {
			got[string(m.Data())] = true
		}
		if want := map[string]bool{"first": true, "second": true, "third": true}; !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
	})
}

// All that an event has reaches ingest, and the outbox adds what it promises.
func TestEventArrivesWhole(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		type trace struct{}
		p.box = p.outbox(outbox.Config{Trace: func(ctx context.Context) map[string]string {
			return map[string]string{"traceparent": ctx.Value(trace{}).(string), "tracestate": "lost to the event's own"}
		}})
		payload := "{\"id\":42,\"name\":\"Ada \\u0000 \U0001f600\"}\x00\xff"
		tx := p.begin()
		err := p.box.Enqueue(context.WithValue(t.Context(), trace{}, "00-1-2-01"), tx, replhub.Event{
			Entity: "user", Op: replhub.Create, Key: "Grün 'quoted\" \\ %", ID: "id-1", ContentType: "text/x; charset=\"ü\"",
			Header: map[string][]string{"X-Own": {"a", "ü\\"}, "tracestate": {"own"}}, Data: []byte(payload),
		})
		if err == nil {
			err = p.box.Enqueue(context.WithValue(t.Context(), trace{}, "00-3-4-01"), tx, replhub.Event{
				Entity: "user", Op: replhub.Delete, Data: []byte(`{"id":42.0}`),
			})
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
		p.run(p.bus.client)
		p.emptied()
		for _, m := range p.bus.stored(2) {
			want := map[string][]string{
				"Nats-Msg-Id": {"id-1"}, "Replhub-Key": {"Grün 'quoted\" \\ %"}, "Replhub-Version": {"1"}, "Replhub-Origin": {"owner"},
				"Content-Type": {"text/x; charset=\"ü\""}, "X-Own": {"a", "ü\\"}, "traceparent": {"00-1-2-01"}, "tracestate": {"own"},
			}
			data := payload
			if m.Subject() == "db.user.delete" {
				data = `{"id":42.0}`
				id := m.Headers().Get("Nats-Msg-Id")
				if len(id) < 20 {
					t.Errorf("made id %q", id)
				}
				want = map[string][]string{
					"Nats-Msg-Id": {id}, "Replhub-Key": {"42.0"}, "Replhub-Version": {"1"}, "Replhub-Origin": {"owner"},
					"traceparent": {"00-3-4-01"}, "tracestate": {"lost to the event's own"},
				}
			}
			if diff := cmp.Diff(want, map[string][]string(m.Headers())); diff != "" {
				t.Error(m.Subject(), diff)
			}
			if string(m.Data()) != data {
				t.Errorf("%s: data %q", m.Subject(), m.Data())
			}
		}
	})
}

func TestVersions(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		own := user("a", "a10")
		own.Version = 10
		late := user("a", "a12")
		late.Version = 7
		first := user("c", "c5")
		first.Version = 5
		p.enqueue(user("a", "a1"), user("b", "b1"), user("a", "a2"), own, user("a", "a11"), late, first,
			replhub.Event{Entity: "user", Op: replhub.Read, Data: []byte("none")})
		// Keys are told apart by their bytes, and by entity.
		p.enqueue(user("A", "A1"), user("ä", "ä1"), replhub.Event{Entity: "tenant", Op: replhub.Update, Key: "a", Data: []byte("tenant1")})
		p.run(p.bus.client)
		p.emptied()
		for _, m := range p.bus.stored(11) {
			version := m.Headers().Get("Replhub-Version")
			if got := string(m.Data()); !strings.HasSuffix(got, strings.TrimLeft(version, "0")) || version == "" && got != "none" {
				t.Errorf("version %q of %s", version, got)
			}
		}
	})
}

// A transaction that waited for the key's lock must not have drawn its row's id
// before: the relay goes by ids.
func TestIDsFollowVersions(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.enqueue(user("k"))
		first := p.begin()
		if err := p.box.Enqueue(t.Context(), first, user("k")); err != nil {
			t.Fatal(err)
		}
		var waiter sync.WaitGroup
		waiter.Go(func() { p.retry(func() error { return p.tryEnqueue(user("k")) }) })
		p.waitForALock()
		if err := p.box.Enqueue(t.Context(), first, user("k")); err != nil {
			t.Fatal(err)
		}
		if err := first.Commit(); err != nil {
			t.Fatal(err)
		}
		waiter.Wait()
		rows, err := p.db.QueryContext(t.Context(), "SELECT version FROM replhub_outbox ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for want := int64(1); rows.Next(); want++ {
			var version int64
			if err := rows.Scan(&version); err != nil || version != want {
				t.Errorf("version %d where %d is due: %v", version, want, err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}, postgres, mariadb)
}

// waitForALock waits until some transaction waits for another's.
func (p *place) waitForALock() {
	p.Helper()
	query := "SELECT COUNT(*) FROM pg_locks WHERE NOT granted"
	if p.Dialect == database.MariaDB {
		query = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'innodb_row_lock_current_waits'"
	}
	eventually(p, "a transaction that waits", func() error {
		var n int
		if err := p.db.QueryRowContext(p.Context(), query).Scan(&n); err != nil || n > 0 {
			return err
		}
		return errors.New("none")
	})
}

// retry tries again what a database refused, to end a deadlock.
func (p *place) retry(try func() error) {
	var err error
	for range 50 {
		if err = try(); err == nil {
			return
		}
	}
	p.Error(err)
}

func TestEnqueueRefuses(t *testing.T) {
	p := newPlace(t, sqlite, outbox.Config{MaxBytes: 2000})
	ok := user("1")
	change := func(f func(*replhub.Event)) replhub.Event {
		ev := ok
		f(&ev)
		return ev
	}
	for _, c := range []struct {
		ev    replhub.Event
		is    error
		words string
	}{
		{change(func(ev *replhub.Event) { ev.Entity = "User" }), replhub.ErrInvalidEvent, "Entity"},
		{change(func(ev *replhub.Event) { ev.Op = "upsert" }), replhub.ErrInvalidEvent, "Op"},
		{change(func(ev *replhub.Event) { ev.Version = -1 }), replhub.ErrInvalidEvent, "Version"},
		{change(func(ev *replhub.Event) { ev.Key = "a\nb" }), replhub.ErrInvalidEvent, "Key"},
		{change(func(ev *replhub.Event) { ev.Key = "\xff" }), replhub.ErrInvalidEvent, "Key"},
		{change(func(ev *replhub.Event) { ev.Key = strings.Repeat("k", 1025) }), replhub.ErrInvalidEvent, "Key"},
		{change(func(ev *replhub.Event) { ev.ID = " x" }), replhub.ErrInvalidEvent, "ID"},
		{change(func(ev *replhub.Event) { ev.ContentType = "a\r\nb" }), replhub.ErrInvalidEvent, "ContentType"},
		{change(func(ev *replhub.Event) { ev.Header = map[string][]string{"nats-msg-id": {"x"}} }), replhub.ErrInvalidEvent, "reserved"},
		{change(func(ev *replhub.Event) { ev.Header = map[string][]string{"a b": {"x"}} }), replhub.ErrInvalidEvent, "no header name"},
		{change(func(ev *replhub.Event) { ev.Header = map[string][]string{"a": {"x\n"}} }), replhub.ErrInvalidEvent, `Header["a"]`},
		{change(func(ev *replhub.Event) { ev.Header = map[string][]string{"a": {"x\ty"}} }), replhub.ErrInvalidEvent, `Header["a"]: the outbox cannot keep "x\ty"`},
		{change(func(ev *replhub.Event) { ev.Header = map[string][]string{"a": {"\xff"}} }), replhub.ErrInvalidEvent, `Header["a"]: the outbox cannot keep "\xff"`},
		{change(func(ev *replhub.Event) { ev.ID = strings.Repeat("i", 1025) }), replhub.ErrInvalidEvent, "ID: is 1025 bytes long"},
		{change(func(ev *replhub.Event) { ev.ContentType = strings.Repeat("c", 1025) }), replhub.ErrInvalidEvent, "ContentType: is 1025 bytes long"},
		{change(func(ev *replhub.Event) { ev.Data = make([]byte, 2000) }), replhub.ErrTooLarge, "2000"},
		{change(func(ev *replhub.Event) { ev.Header = map[string][]string{"a": {strings.Repeat("x", 2000)}} }), replhub.ErrTooLarge, "2000"},
	} {
		err := p.tryEnqueue(c.ev)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: %v, want %q in a %v", c.ev, err, c.words, c.is)
		}
	}
	if err := p.box.Enqueue(t.Context(), p.db, ok); !errors.Is(err, database.ErrNoTransaction) {
		t.Errorf("without a transaction: %v", err)
	}
	if n := p.rows(""); n != 0 {
		t.Errorf("%d rows", n)
	}
	p.enqueue(ok)
}

// What Enqueue lets through, the client takes: else it would be set aside.
func TestClientTakesWhatEnqueueTook(t *testing.T) {
	p := newPlace(t, sqlite, outbox.Config{MaxBytes: 1 << 20})
	long := strings.Repeat("k", 1024)
	ev := replhub.Event{Entity: strings.Repeat("e", 63), Op: replhub.Update, Key: long, ID: long, ContentType: long}
	ev.Data = make([]byte, 1<<20-3*1024-256-63) // as much as fits
	p.enqueue(ev)
	p.run(p.bus.client)
	p.emptied()
	p.bus.stored(1)
}

func TestPgxTransaction(t *testing.T) {
	p := newPlace(t, postgres, outbox.Config{})
	conn, err := pgx.Connect(t.Context(), p.dataSource)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for i, commit := range []bool{true, false, true} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range []replhub.Event{user("1", fmt.Sprint(i)), {Entity: "user", Op: replhub.Read}} {
			if err := p.box.Enqueue(t.Context(), database.Pgx(tx), ev); err != nil {
				t.Fatal(err)
			}
		}
		end := tx.Rollback
		if commit {
			end = tx.Commit
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.enqueue(user("1", "by database/sql"))
	p.run(p.bus.client)
	p.emptied()
	var got []string
	for _, m := range p.bus.stored(5) {
		if v := m.Headers().Get("Replhub-Version"); v != "" {
			got = append(got, v+" "+string(m.Data()))
		}
	}
	if want := []string{"1 0", "2 2", "3 by database/sql"}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestManyMigrateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		box := p.outbox(outbox.Config{Table: "other", Shards: 3})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := box.Migrate(t.Context(), p.db); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var shards int
		if err := p.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM other_shards").Scan(&shards); err != nil || shards != 3 {
			t.Errorf("%d shards, %v", shards, err)
		}
	})
}

func TestSchemaQualifiedTable(t *testing.T) {
	p := newPlace(t, postgres, outbox.Config{})
	if _, err := p.db.ExecContext(t.Context(), "CREATE SCHEMA events"); err != nil {
		t.Fatal(err)
	}
	p.box = p.outbox(outbox.Config{Table: "events.out"})
	if err := p.box.Migrate(t.Context(), p.db); err != nil {
		t.Fatal(err)
	}
	p.enqueue(user("1"), replhub.Event{Entity: "user", Op: replhub.Read})
	p.run(p.bus.client)
	p.bus.stored(2)
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		cfg   outbox.Config
		words string
	}{
		{outbox.Config{Dialect: 3}, "Dialect 3"},
		{outbox.Config{Dialect: database.Postgres, Table: "a; DROP TABLE b"}, "Table"},
		{outbox.Config{Dialect: database.Postgres, Table: "a.b.c"}, "Table"},
		{outbox.Config{Dialect: database.SQLite, Table: "a.b"}, "Table"},
		{outbox.Config{Dialect: database.Postgres, Shards: 257}, "Shards"},
		{outbox.Config{Dialect: database.Postgres, Shards: -1}, "Shards"},
		{outbox.Config{Dialect: database.Postgres, MaxBytes: -1}, "MaxBytes"},
	} {
		if _, err := outbox.New(c.cfg); err == nil || !strings.Contains(err.Error(), "config: "+c.words) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
	box, err := outbox.New(outbox.Config{Dialect: database.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	db, nobody := new(sql.DB), publisherFunc(nil)
	for _, c := range []struct {
		cfg   outbox.RelayConfig
		words string
	}{
		{outbox.RelayConfig{Publisher: nobody}, "DB"},
		{outbox.RelayConfig{DB: db}, "Publisher"},
		{outbox.RelayConfig{DB: db, Publisher: nobody, Workers: -1}, "Workers"},
		{outbox.RelayConfig{DB: db, Publisher: nobody, BatchSize: 10_001}, "BatchSize"},
		{outbox.RelayConfig{DB: db, Publisher: nobody, Poll: -1}, "Poll"},
		{outbox.RelayConfig{DB: db, Publisher: nobody, PublishTimeout: -1}, "PublishTimeout"},
		{outbox.RelayConfig{DB: db, Publisher: nobody, Lease: -1}, "Lease"},
		{outbox.RelayConfig{DB: db, Publisher: nobody, MinBackoff: -1}, "MinBackoff"},
		{outbox.RelayConfig{DB: db, Publisher: nobody, MinBackoff: 2, MaxBackoff: 1}, "MaxBackoff"},
	} {
		if _, err := box.NewRelay(c.cfg); err == nil || !strings.Contains(err.Error(), "config: "+c.words) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}
