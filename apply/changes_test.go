package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/replhubtest"
)

// A member that the owner adds disturbs nothing. Where whole rows are asked for it is
// told. Once the table has a column for it, the next start fills that column.
func TestColumnIsAddedLater(t *testing.T) {
	hub := replhubtest.Start(t)
	r := newReplica(t, 0)
	o := newOwner(t, hub)
	o.serve(t, "user")
	r.exec(t, "CREATE TABLE people (id text PRIMARY KEY, name text)")
	for i := range 10 {
		o.put(t, "user", fmt.Sprint(i), map[string]any{"id": fmt.Sprint(i), "name": "Ada"})
	}
	cfg := r.config(hub, apply.Table{Entity: "user", Table: "people"})
	cfg.Start, cfg.WholeRows = replhub.StartSnapshot(), true
	a, err := apply.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := a.Run(ctx)
		ended <- err
	}()
	for i := range 10 {
		o.put(t, "user", fmt.Sprint(i), map[string]any{"id": fmt.Sprint(i), "name": "Bob", "city": "Łódź"})
	}
	r.becomes(t, "SELECT count(*), min(name) FROM people", "10|Bob")
	replhubtest.Await(t, "the member to be told", func() error {
		for _, u := range a.Status().Unmapped {
			if u.Member == "city" && u.Column == "" {
				return nil
			}
		}
		return fmt.Errorf("%+v", a.Status().Unmapped)
	})
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r.exec(t, "ALTER TABLE people ADD COLUMN city text")
	cfg.WholeRows, cfg.Once = false, true
	for range 2 { // the first run narrows the interest, so that the second has something to widen
		if _, err := apply.Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	r.exec(t, "ALTER TABLE people ADD COLUMN age integer")
	for i := range 10 {
		o.rows[fmt.Sprintf("user/%d", i)]["age"] = 36 // of which no event tells
	}
	if _, err := apply.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if got := r.rows(t, "SELECT count(*), min(age) FROM people"); got != "10|36" {
		t.Errorf("rows were not fetched again: %s", got)
	}
	status, err := hub.Client(t, "sharing").Describe(t.Context())
	if err != nil || !slices.Equal(status.Interests[0].Fields, []string{"age", "city", "name"}) {
		t.Errorf("%+v, %v", status.Interests, err)
	}
}

// A user without a right is told which, with the statement that grants it.
func TestRights(t *testing.T) {
	hub := replhubtest.Start(t)
	for _, kind := range []int{0, 1} {
		r := newReplica(t, kind)
		t.Run(r.name, func(t *testing.T) {
			r.exec(t, "CREATE TABLE people (id integer PRIMARY KEY, name integer)")
			database := r.rows(t, map[string]string{"postgres": "SELECT current_database()", "mariadb": "SELECT database()"}[r.name])
			reader := "reader_" + database
			dsn := strings.Replace(r.dsn, "user=postgres", "user="+reader, 1)
			if r.name == "mariadb" {
				r.exec(t, "CREATE USER "+reader+"@'%' IDENTIFIED BY ''")
				r.exec(t, "GRANT SELECT, INSERT ON people TO "+reader+"@'%'")
				dsn = reader + r.dsn[strings.Index(r.dsn, "@"):]
			} else {
				r.exec(t, "CREATE ROLE "+reader+" LOGIN")
				r.exec(t, "GRANT SELECT, INSERT ON people TO "+reader)
			}
			cfg := r.config(hub, apply.Table{Entity: "user", Table: "people"})
			cfg.DSN = dsn
			_, err := apply.Run(t.Context(), cfg)
			var f *apply.FindingsError
			if !errors.As(err, &f) || !strings.Contains(err.Error(), "may not UPDATE: GRANT SELECT, INSERT, UPDATE, DELETE ON") {
				t.Fatalf("%v", err)
			}
			if r.name == "mariadb" {
				r.exec(t, "GRANT UPDATE, DELETE ON people TO "+reader+"@'%'")
			} else {
				r.exec(t, "GRANT UPDATE, DELETE ON people TO "+reader)
			}
			if _, err = apply.Run(t.Context(), cfg); !errors.As(err, &f) || !strings.Contains(err.Error(), "CREATE TABLE IF NOT EXISTS") {
				t.Errorf("%v", err)
			}
		})
	}
}

// An entity without a table, a filter, and two services in one database.
func TestRegistrations(t *testing.T) {
	hub := replhubtest.Start(t)
	r := newReplica(t, 2)
	o := newOwner(t, hub)
	r.exec(t, "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT)")
	r.exec(t, "CREATE TABLE others (id TEXT PRIMARY KEY, name TEXT)")
	for i := range 10 {
		o.put(t, "user", fmt.Sprint(i), map[string]any{"id": fmt.Sprint(i), "name": "Ada", "n": i})
	}
	cfg := r.config(hub, apply.Table{Entity: "user", Table: "people", Where: "data.n < 5"})
	cfg.Once = true
	if _, err := apply.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	other := r.config(hub, apply.Table{Entity: "user", Table: "others"})
	other.Service, other.Once = "audit", true
	if _, err := apply.Run(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := r.rows(t, "SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM others)"); got != "5|10" {
		t.Error(got)
	}
	client := hub.Client(t, "sharing")
	if _, err := client.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{{Entity: "tenant"}}}); err != nil {
		t.Fatal(err)
	}
	cfg.Tables[0].Where = ""
	if _, err := apply.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "registered for tenant too") {
		t.Errorf("%v", err)
	}
	if _, err := client.Unregister(t.Context(), "tenant"); err != nil {
		t.Fatal(err)
	}
	o.put(t, "user", "3", map[string]any{"id": "3", "name": "Bob", "n": 3})
	o.put(t, "user", "7", map[string]any{"id": "7", "name": "Bob", "n": 7})
	if _, err := apply.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if got := r.rows(t, "SELECT group_concat(id) FROM people WHERE name = 'Bob'"); got != "3" {
		t.Errorf("the registered filter did not stay: %s", got)
	}
}
