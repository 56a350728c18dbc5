package engine_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/capture/internal/selection"
	"github.com/replhub/replhub/capture/internal/source"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/outbox"
)

const routed = "CREATE TABLE events (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text, payload jsonb)"

// Each row that is inserted into an outbox is an event, in its place among the changes of
// the transaction; its update and its delete are none. A row that is no event is left out.
func TestOutboxOfAnotherLayout(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), routed, users)
	e, _ := b.run(b.sourceTables(selection.Config{Tables: []string{"public.*"}, Outboxes: []string{"public.events=debezium"}}))
	insert := func(values string) string {
		return "INSERT INTO events (aggregatetype, aggregateid, type, payload) VALUES " + values
	}
	b.exec("BEGIN; " + insert(`('Team', 't1', 'TeamCreated', '{"id": "t1"}')`) + "; INSERT INTO users VALUES (1, 'a', NULL); " +
		insert(`('Team', 't1', 'TeamRenamed', '{"id": "t1", "n": 2}'), ('no name', 't1', 'x', '{}')`) + "; DELETE FROM events WHERE type = 'TeamCreated'; COMMIT")
	b.exec("BEGIN; " + insert(`('team', 't9', 'rolled back', '{}')`) + "; ROLLBACK")
	b.exec(`UPDATE events SET payload = '{"other": 1}'`)
	b.exec("TRUNCATE events")
	b.exec(insert(`('team', 't1', 'TeamGone', NULL)`))
	got := b.await(`team.create t1 {"id": "t1"}`, `users.create 1 {"id":1,"name":"a","note":null}`, `team.update t1 {"n": 2, "id": "t1"}`, `team.delete t1 `)
	if got[0].version != "" || got[1].version == "" {
		t.Errorf("versions %q and %q", got[0].version, got[1].version)
	}
	b.eventually("the alarm", func() error {
		if s := e.Status(); len(s.LeftOut) != 1 || s.LeftOut[0].Table != "public.events" || s.LeftOut[0].Changes != 1 || len(s.Truncated) > 0 {
			return fmt.Errorf("%+v %q", s.LeftOut, s.Truncated)
		}
		return nil
	})
}

// The table of package outbox is captured instead of polled, with its versions and
// headers; its rows are deleted once they are stored, but for those that are no events.
func TestOutboxOfThePackage(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t))
	box, err := outbox.New(outbox.Config{Dialect: database.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := box.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	b.exec("INSERT INTO replhub_outbox_generation VALUES (1, 5) ON CONFLICT (one) DO UPDATE SET generation = 5")
	tables := b.sourceTables(selection.Config{Tables: []string{"public.*"}, Outboxes: []string{"public.replhub_outbox"}})
	deleting := func(c *engine.Config) { c.Tables.(*source.Tables).DeleteOutbox = true }
	_, stop := b.run(tables, deleting)
	enqueue := func(ev replhub.Event) {
		t.Helper()
		if err := database.InTransaction(t.Context(), db, nil, func(tx *sql.Tx) error { return box.Enqueue(t.Context(), tx, ev) }); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(replhub.Event{Entity: "team", Op: replhub.Create, Key: "t1", Data: []byte(`{"id":"t1"}`), Header: map[string][]string{"X-A": {"b"}}})
	enqueue(replhub.Event{Entity: "team", Op: replhub.Update, Key: "t1", Data: []byte{0xff, 0}, ContentType: "application/x"})
	want := []string{`team.create t1 {"id":"t1"}`, "team.update t1 \xff\x00"}
	got := b.await(want...)
	if v := fmt.Sprint(5<<44 + 1); got[0].version != v {
		t.Errorf("version %s, want %s", got[0].version, v)
	}
	b.exec("INSERT INTO replhub_outbox SELECT 1000, shard, entity, 'none', entity_key, version, event_id, content_type, header, payload, enqueued_at FROM (VALUES (0, 'team', 't1', 9::bigint, 'e', '', '', '\\x00'::bytea, 0::bigint)) v(shard, entity, entity_key, version, event_id, content_type, header, payload, enqueued_at)")
	rows := func(want int) {
		t.Helper()
		b.within(30*time.Second, "rows of the outbox", func() error {
			var n int
			err := b.db.QueryRow(t.Context(), "SELECT count(*) FROM replhub_outbox").Scan(&n)
			if n != want {
				err = fmt.Errorf("%d rows, want %d", n, want)
			}
			return err
		})
	}
	rows(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	enqueue(replhub.Event{Entity: "team", Op: replhub.Delete, Key: "t1", Data: []byte(`{"id":"t1"}`)})
	rows(2)
	b.run(tables, deleting)
	b.await(append(want, `team.delete t1 {"id":"t1"}`)...)
	rows(1)
	if strings.Contains(fmt.Sprint(b.events()), "versions") {
		t.Error("a table beside the outbox is captured")
	}
}

// A row of an outbox that somebody has locked holds up the slot, and no event. It is
// deleted once it can be, also after a restart.
func TestLockedRowOfAnOutbox(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), routed, users)
	tables := b.sourceTables(selection.Config{Tables: []string{"public.*"}, Outboxes: []string{"public.events=debezium"}})
	deleting := func(c *engine.Config) { c.Tables.(*source.Tables).DeleteOutbox = true }
	lock := func() (release func()) {
		// Before the insert: the capture is quicker than a lock of the row.
		tx, err := b.db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "LOCK TABLE events IN EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `INSERT INTO events (aggregatetype, aggregateid, type, payload) VALUES ('team', 't1', 'create', '{}')`); err != nil {
			t.Fatal(err)
		}
		other, err := pgx.Connect(t.Context(), b.dsn)
		if err != nil {
			t.Fatal(err)
		}
		locker, err := other.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		locked := make(chan error, 1)
		go func() {
			_, err := locker.Exec(t.Context(), "LOCK TABLE events IN SHARE MODE") // waits for the commit, in front of the capture
			locked <- err
		}()
		b.eventually("the lock to be waited for", func() error {
			var n int
			if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&n); err != nil || n != 1 {
				return fmt.Errorf("%d wait, %w", n, err)
			}
			return nil
		})
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-locked; err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := other.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	e, stop := b.run(tables, deleting)
	release := lock()
	var want []string
	change := func(n int) {
		b.exec(fmt.Sprintf("INSERT INTO users VALUES (%d, 'a', NULL)", n))
		want = append(want, fmt.Sprintf(`users.create %d {"id":%d,"name":"a","note":null}`, n, n))
		b.await(append([]string{"team.create t1 {}"}, want...)...)
	}
	for n := range 5 {
		change(n + 1)
		<-time.After(300 * time.Millisecond) // all of them take longer than the capture waits for the lock
	}
	if n := e.Counts().Sessions.Load(); n != 1 {
		t.Errorf("%d sessions: the capture has begun again", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	e, _ = b.run(tables, deleting)
	change(6)
	release()
	b.eventually("the row to be deleted", func() error {
		var n int
		err := b.db.QueryRow(t.Context(), "SELECT count(*) FROM events").Scan(&n)
		if n != 0 {
			err = fmt.Errorf("%d rows", n)
		}
		return err
	})
	b.eventually("the slot to go on", func() error {
		if s := e.Status(); s.Confirmed < s.Stored.Commit {
			return fmt.Errorf("confirmed %s of %s", s.Confirmed, s.Stored.Commit)
		}
		return nil
	})
}
