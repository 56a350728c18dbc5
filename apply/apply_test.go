package apply_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/replhubtest"
)

func sortStrings(s []string) { slices.Sort(s) }

// A table follows its owner by creates, updates and deletes, with columns matched by
// name and one by a path; the interest has the columns' fields and no other.
func TestTableFollowsItsOwner(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	onEach(t, func(t *testing.T, r *replica) {
		service := "sharing-" + r.name
		o := newOwner(t, hub)
		r.exec(t, "CREATE TABLE people (id varchar(64) PRIMARY KEY, name varchar(64), city varchar(64))")
		for i := range 20 {
			o.put(t, r.name, fmt.Sprint(100+i), map[string]any{"id": fmt.Sprint(100 + i), "name": "old", "secret": "x", "address": map[string]any{"city": "Łódź", "zip": 1}})
		}
		cfg := r.config(hub, apply.Table{Entity: r.name, Table: "people", Columns: map[string]string{"city": "address.city"}})
		cfg.Service = service
		i := start(t, cfg)
		o.put(t, r.name, "101", map[string]any{"id": "101", "name": "Ada", "address": map[string]any{"city": "London"}})
		o.put(t, r.name, "102", nil)
		r.becomes(t, "SELECT count(*), min(city), max(name) FROM people WHERE id <> '101'", "18|Łódź|old")
		r.becomes(t, "SELECT id, name, city FROM people WHERE id = '101'", "101|Ada|London")
		status, err := hub.Client(t, service).Describe(t.Context())
		if err != nil || len(status.Interests) != 1 || !slices.Equal(status.Interests[0].Fields, []string{"address.city", "name"}) {
			t.Errorf("registered for %+v, %v", status.Interests, err)
		}
		if status.Queue.Order != replhub.OrderKey || status.Queue.Partitions < 2 {
			t.Errorf("a queue of %+v", status.Queue)
		}
		i.stop()
		<-i.done
		if i.err != nil {
			t.Errorf("ended with %v", i.err)
		}
	})
}

// All that does not fit is said at once, and nothing is written.
func TestFindingsBeforeTheFirstRow(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	onEach(t, func(t *testing.T, r *replica) {
		r.exec(t, "CREATE TABLE a (x varchar(64), name varchar(64))")
		r.exec(t, "CREATE TABLE b (id varchar(64), v varchar(64), w varchar(64), PRIMARY KEY (id, v))")
		r.exec(t, "CREATE TABLE c (id varchar(64) PRIMARY KEY, v varchar(64), forced varchar(64) NOT NULL)")
		_, err := apply.Run(t.Context(), r.config(hub,
			apply.Table{Entity: "a", Table: "a"}, apply.Table{Entity: "b", Table: "b"},
			apply.Table{Entity: "c", Table: "c", Ignore: []string{"forced"}, Columns: map[string]string{"no_column": "x"}},
			apply.Table{Entity: "c2", Table: "c2"}, apply.Table{Entity: "d", Table: "d"},
		))
		if _, ok := errors.AsType[*apply.FindingsError](err); !ok {
			t.Fatalf("%v", err)
		}
		for _, want := range []string{
			"table a has no primary key: name the column of the entity's key with --key a=<column>",
			"table b has a primary key of several columns (id, v)", `table c has no column "no_column" for c.x`,
			"table c2: it does not exist", "make it with --create", "table d: it does not exist",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("not said: %q in\n%v", want, err)
			}
		}
		if got := r.rows(t, "SELECT count(*) FROM replhub_inbox_sharing"); !strings.Contains(got, "replhub_inbox_sharing") {
			t.Errorf("the inbox was made: %s", got)
		}
		if _, err := hub.Client(t, "sharing").Describe(t.Context()); err == nil {
			t.Error("the service was registered")
		}
	})
}

// A row that its column cannot take is a dead letter; the others go on.
func TestPoisonRow(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	onEach(t, func(t *testing.T, r *replica) {
		o := newOwner(t, hub)
		r.exec(t, "CREATE TABLE k (id varchar(64) PRIMARY KEY, n integer NOT NULL)")
		for i := range 6 {
			row := map[string]any{"id": fmt.Sprint(i), "n": i}
			if i == 3 {
				row["n"] = nil
			}
			o.put(t, r.name, fmt.Sprint(i), row)
		}
		cfg := r.config(hub, apply.Table{Entity: r.name, Table: "k"})
		cfg.Service, cfg.Once = "poison-"+r.name, true
		s, err := apply.Run(t.Context(), cfg)
		var dead *apply.DeadLettersError
		if !errors.As(err, &dead) || dead.Letters != 1 || dead.First == nil || dead.First.Key != "3" {
			t.Errorf("%v", err)
		}
		if len(s.Tables) != 1 || s.Tables[0].Applied != 5 || s.Tables[0].DeadLetters != 1 {
			t.Errorf("%+v", s)
		}
		r.becomes(t, "SELECT id, n FROM k ORDER BY id", "0|0\n1|1\n2|2\n4|4\n5|5")
	})
}
