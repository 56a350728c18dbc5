package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/capture/internal/selection"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// A column that is added with a default, dropped, or given another type changes all rows
// without a change in the log: that is told, once, and stays told until it is dismissed.
func TestAlteredTable(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), "CREATE TABLE users (id int PRIMARY KEY, note text, n int, secret text, born date)")
	tables := b.sourceTables(selection.Config{Tables: []string{"public.users=user"}, Exclude: []string{"public.users.secret*"}})
	e, stop := b.run(tables)
	b.exec("INSERT INTO users VALUES (1, 'a', 2, 's')")
	b.await(`user.create 1 {"id":1,"note":"a","n":2,"born":null}`)
	b.exec("ALTER TABLE users ADD empty text, ADD token uuid DEFAULT gen_random_uuid(), DROP note, ALTER n TYPE text, DROP secret, ADD secrets text DEFAULT 'x'")
	b.exec("ALTER TABLE users ADD email text DEFAULT 'none'")
	b.exec("ALTER TABLE users ALTER email DROP DEFAULT")
	b.exec("UPDATE users SET token = NULL")
	b.exec("UPDATE users SET empty = 'b'")
	told := func(e *engine.Engine, want string) {
		t.Helper()
		b.within(30*time.Second, "what was altered", func() error {
			got := ""
			for _, a := range e.Status().Altered {
				got += fmt.Sprintf("%s %s %s %s; ", a.Table, a.Entity, a.Column, a.How)
			}
			if got != want {
				return fmt.Errorf("%s", got)
			}
			return nil
		})
	}
	want := "public.users user n retyped; public.users user token added; public.users user email added; public.users user note dropped; "
	told(e, want)
	b.await(`user.create 1 {"id":1,"note":"a","n":2,"born":null}`, `user.update 1 {"id":1,"n":"2","born":null,"empty":null,"token":null,"email":"none"}`,
		`user.update 1 {"id":1,"n":"2","born":null,"empty":"b","token":null,"email":"none"}`)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again, stop := b.run(tables)
	told(again, want)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	dismissed, _ := b.run(tables, func(c *engine.Config) { c.Dismiss = true })
	b.awaitState(dismissed, engine.Capturing)
	told(dismissed, "")
}

// A column that gets fewer digits has its values rounded without a change in the log. One
// that gets more room keeps them.
func TestNarrowedColumn(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), "CREATE TABLE users (id int PRIMARY KEY, price numeric(10,4), label varchar(10))")
	e, _ := b.run(b.sourceTables(selection.Config{Tables: []string{"public.users=user"}}))
	b.exec("INSERT INTO users VALUES (1, 1.2345, 'a')")
	b.eventually("the first event", func() error {
		if n := len(b.events()); n != 1 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})
	b.exec("ALTER TABLE users ALTER label TYPE varchar(20), ALTER price TYPE numeric(10,2)")
	b.exec("UPDATE users SET label = 'b'")
	b.eventually("the column that was rounded", func() error {
		if told := e.Status().Altered; len(told) != 1 || told[0].Column != "price" || told[0].How != "retyped" {
			return fmt.Errorf("%+v", told)
		}
		return nil
	})
}
