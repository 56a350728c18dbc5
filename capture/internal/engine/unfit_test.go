package engine_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/capture/internal/selection"
	"github.com/replhub/replhub/capture/internal/source"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// sourceTables makes an engine capture tables as replhub capture does.
func (b *bench) sourceTables(cfg selection.Config) func(*engine.Config) {
	b.t.Helper()
	s, err := selection.Parse(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	config, err := pgx.ParseConfig(b.dsn)
	if err != nil {
		b.t.Fatal(err)
	}
	return func(c *engine.Config) {
		tables := source.NewTables(config, s)
		b.t.Cleanup(func() { tables.Close(b.t.Context()) })
		c.Tables = tables
	}
}

// A row whose key is none, or that is too large, is left out with an alarm, and all others
// go on. What replicas have of it under another key is deleted, and a change that makes it
// fit publishes it. The alarm is stored before later changes, and outlives the capture.
func TestUnfitRows(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), "CREATE TABLE people (id text PRIMARY KEY, note text)")
	tables := b.sourceTables(selection.Config{Tables: []string{"public.people=person"}})
	e, stop := b.run(tables)
	b.exec(`INSERT INTO people VALUES ('a', '1'), (E'b\nc', '2'), ('d', '3')`)
	b.exec("UPDATE people SET id = '' WHERE id = 'a'")
	b.exec("UPDATE people SET note = '4' WHERE id = ''")
	b.exec("UPDATE people SET id = 'e' WHERE id = ''")
	b.exec(`DELETE FROM people WHERE id = E'b\nc'`)
	b.exec("UPDATE people SET note = repeat('x', 2000000) WHERE id = 'd'")
	b.exec("UPDATE people SET note = '5' WHERE id = 'd'")
	b.exec(`SELECT pg_logical_emit_message(true, 'replhub', format('{"entity":"team","op":"update","key":"t","data":{"n":"%s"}}', repeat('x', 2000000)))`)
	b.exec("INSERT INTO people VALUES ('f', '6')")
	want := []string{
		`person.create a {"id":"a","note":"1"}`, `person.create d {"id":"d","note":"3"}`, `person.delete a {"id":"a"}`,
		`person.create e {"id":"e","note":"4"}`, `person.update d {"id":"d","note":"5"}`, `person.create f {"id":"f","note":"6"}`,
	}
	b.await(want...)
	if got := b.leftOutBefore("db.person.create", "d"); got != 1 {
		t.Errorf("before the first later change, the record has %d changes that were left out", got)
	}
	told := func(e *engine.Engine, people, messages uint64) {
		t.Helper()
		b.eventually("the alarms", func() error {
			got := e.Status().LeftOut
			if people == 0 && len(got) == 0 {
				return nil
			}
			if len(got) != 2 || got[0].Table != "pg_logical_emit_message" || got[0].Changes != messages || got[1].Table != "public.people" || got[1].Changes != people || !strings.Contains(got[1].Why, "max_payload") {
				return fmt.Errorf("%+v", got)
			}
			return nil
		})
	}
	told(e, 4, 1)
	if n := e.Counts().LeftOut.Load(); n != 5 {
		t.Errorf("%d changes are counted", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again, stop := b.run(tables)
	told(again, 4, 1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	dismissed, _ := b.run(tables, func(c *engine.Config) { c.Dismiss = true })
	b.awaitState(dismissed, engine.Capturing)
	told(dismissed, 0, 0)
	b.exec("INSERT INTO people VALUES ('g', '7')")
	b.await(append(want, `person.create g {"id":"g","note":"7"}`)...)
}

// leftOutBefore is how many changes the newest record before an event says that were left
// out.
func (b *bench) leftOutBefore(subject, key string) (changes uint64) {
	b.t.Helper()
	stream, err := b.js.Stream(b.t.Context(), contract.StreamIngest)
	if err != nil {
		b.t.Fatal(err)
	}
	for seq := uint64(1); ; seq++ {
		m, err := stream.GetMsg(b.t.Context(), seq)
		if err != nil {
			b.t.Fatal(err)
		}
		if m.Subject == subject && m.Header.Get(contract.HeaderKey) == key {
			return changes
		}
		if r, err := captured.Decode(m.Data); err == nil && len(r.LeftOut) > 0 {
			changes = r.LeftOut[0].Changes
		}
	}
}

// A resync leaves unfit rows out, too, and its record says so.
func TestResyncOfUnfitRows(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), "CREATE TABLE people (id text PRIMARY KEY, note text)",
		`INSERT INTO people VALUES ('a', '1'), (E'b\nc', '2'), ('d', repeat('x', 2000000)), ('e', '3')`)
	s, err := selection.Parse(selection.Config{Tables: []string{"public.people=person"}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	rows := &source.Rows{Tables: source.NewTables(config, s), Logger: slog.New(slog.DiscardHandler)}
	e := engine.New(b.config())
	if err := e.Resync(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	b.await(`person.update a {"id":"a","note":"1"}`, `person.update e {"id":"e","note":"3"}`)
	if got := e.Status().LeftOut; len(got) != 1 || got[0].Changes != 2 {
		t.Errorf("%+v", got)
	}
}
