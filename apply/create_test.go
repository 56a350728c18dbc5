package apply_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/replhubtest"
)

// made is what a table looks like that was made from rows of every kind of value, and
// what is in it.
var made = map[string]struct{ ddl, rows string }{
	"postgres": {
		`"id" text NOT NULL PRIMARY KEY|"city" text|"name" text|"age" numeric|"big" numeric|"member" boolean|"since" timestamptz|"born" text|"tags" jsonb|"mixed" jsonb|"nothing" text`,
		`a|Łódź|Ada|36|12345678901234567890.5|true|2024-01-02 02:04:05 +0000 UTC|1815-12-10|["x", {"y": 1.50}]|"text"|<nil>`,
	},
	"mariadb": {
		"`id` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL PRIMARY KEY|`city` longtext CHARACTER SET utf8mb4|`name` longtext CHARACTER SET utf8mb4|`age` bigint|`big` decimal(65,30)|`member` boolean|`since` datetime(6)|`born` longtext CHARACTER SET utf8mb4|`tags` json|`mixed` json|`nothing` longtext CHARACTER SET utf8mb4",
		`a|Łódź|Ada|36|12345678901234567890.500000000000000000000000000000|1|2024-01-02 02:04:05 +0000 UTC|1815-12-10|["x",{"y":1.50}]|"text"|<nil>`,
	},
	"sqlite": {
		`"id" TEXT NOT NULL PRIMARY KEY|"city" TEXT|"name" TEXT|"age" INTEGER|"big" TEXT|"member" BOOLEAN|"since" TEXT|"born" TEXT|"tags" TEXT|"mixed"|"nothing" TEXT`,
		`a|Łódź|Ada|36|12345678901234567890.5|1|2024-01-02T03:04:05+01:00|1815-12-10|["x",{"y":1.50}]|text|<nil>`,
	},
}

// A table that is made takes what came without a loss, and the service is registered
// for its columns afterwards.
func TestCreate(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	onEach(t, func(t *testing.T, r *replica) {
		o := newOwner(t, hub)
		o.publish(t, replhub.Event{Entity: r.name, Op: replhub.Delete, Key: "gone"}, nil)
		publishJSON(t, o, r.name, "a", `{"id":"a","name":"Ada","age":36,"big":12345678901234567890.5,"member":true,"since":"2024-01-02T03:04:05+01:00",`+
			`"born":"1815-12-10","tags":["x",{"y":1.50}],"mixed":"text","nothing":null,"address":{"city":"Łódź"}}`)
		publishJSON(t, o, r.name, "b", `{"id":"b","name":"Bob","age":0,"big":0,"member":false,"since":"2024-01-02T03:04:05.123456Z","born":"x","tags":{},"mixed":1,"nothing":null}`)
		cfg := r.config(hub, apply.Table{Entity: r.name, Table: "people", Columns: map[string]string{"city": "address.city"}})
		cfg.Service, cfg.Once, cfg.Create = "made-"+r.name, true, true
		var told string
		cfg.OnDDL = func(_, statement string) { told = statement }

		dry := cfg
		dry.DryRun = true
		if _, err := apply.Run(t.Context(), dry); err != nil {
			t.Fatal(err)
		}
		shown := told
		if got := r.rows(t, "SELECT count(*) FROM people"); !strings.Contains(got, "people") {
			t.Errorf("a dry run made the table: %s", got)
		}

		s, err := apply.Run(t.Context(), cfg)
		if err != nil || s.Tables[0].Applied != 3 || told != shown {
			t.Fatalf("%+v, %v, %s; shown before: %s", s, err, told, shown)
		}
		if got := columnsOf(told); got != made[r.name].ddl {
			t.Errorf("columns:\n%s\nwant:\n%s", got, made[r.name].ddl)
		}
		all := r.rows(t, "SELECT * FROM people WHERE id = 'a'") //nolint:unqueryvet // the columns are what is tested
		if got := strings.ReplaceAll(all, "+0000 +0000", "+0000 UTC"); got != made[r.name].rows {
			t.Errorf("rows:\n%s\nwant:\n%s", got, made[r.name].rows)
		}
		status, err := hub.Client(t, cfg.Service).Describe(t.Context())
		if err != nil || !slices.Contains(status.Interests[0].Fields, "address.city") || slices.Contains(status.Interests[0].Fields, "address") {
			t.Errorf("registered for %+v, %v", status.Interests, err)
		}
	})
}

// A dry run for a service that works changes neither its registration nor its lane, and
// takes none of its deliveries: it says so. Two dry runs of a new service show the same.
func TestDryRunLeavesALiveServiceAlone(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	r := newReplica(t, 2)
	o := newOwner(t, hub)
	publishJSON(t, o, "user", "1", `{"id":"1","name":"Ada","age":36}`)
	client := hub.Client(t, "live")
	if _, err := client.Register(t.Context(), replhub.Registration{
		Queue:     replhub.Queue{Order: replhub.OrderKey, Partitions: 2},
		Interests: []replhub.Interest{{Entity: "user", Filter: "data.age > 1", Fields: []string{"name"}, Start: replhub.StartAll()}},
	}); err != nil {
		t.Fatal(err)
	}
	lane := func() (s replhub.Status) {
		replhubtest.Await(t, "the copy in the lane", func() (err error) {
			if s, err = client.Describe(t.Context()); err == nil && s.Backlog != 1 {
				err = fmt.Errorf("backlog %d", s.Backlog)
			}
			return err
		})
		s.OldestUnacked = 0
		return s
	}
	before := lane()
	cfg := r.config(hub, apply.Table{Entity: "user", Table: "people", Where: "data.age > 2"}, apply.Table{Entity: "tenant", Table: "tenants"})
	cfg.Service, cfg.Create, cfg.DryRun, cfg.Partitions = "live", true, true, 4
	taken := deliveries(t, hub, "live")
	s, err := apply.Run(t.Context(), cfg)
	if err != nil || s.Unsampled == "" || len(s.Changes) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if after := lane(); !reflect.DeepEqual(before, after) {
		t.Errorf("the lane changed: %+v, before %+v", after, before)
	}
	if now := deliveries(t, hub, "live"); now != taken {
		t.Errorf("%d deliveries were taken", now-taken)
	}

	cfg.Service, cfg.Tables = "new", []apply.Table{{Entity: "user", Table: "people"}}
	for range 2 {
		told := ""
		cfg.OnDDL = func(_, statement string) { told = statement }
		if s, err := apply.Run(t.Context(), cfg); err != nil || s.Unsampled != "" || !strings.Contains(told, `"age"`) {
			t.Errorf("%+v, %v: %s", s, err, told)
		}
		if now, err := hub.Client(t, "new").Describe(t.Context()); err != nil || len(now.Entities) != 0 {
			t.Errorf("registered after the dry run: %v, %v", now.Entities, err)
		}
	}
}

// deliveries counts how often copies of a service were handed out.
func deliveries(t *testing.T, hub *replhubtest.Hub, service string) (n uint64) {
	t.Helper()
	nc, err := nats.Connect(hub.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for consumer := range js.Consumers("SUB_" + service) {
		n += consumer.Delivered.Consumer
	}
	return n
}

func publishJSON(t *testing.T, o *owner, entity, key, data string) {
	t.Helper()
	if _, err := o.client.Publish(t.Context(), replhub.Event{Entity: entity, Op: replhub.Create, Key: key, Data: []byte(data)}); err != nil {
		t.Fatal(err)
	}
}

// columnsOf are a statement's columns in one line.
func columnsOf(statement string) string {
	_, rest, _ := strings.Cut(statement, "(\n")
	var columns []string
	for line := range strings.Lines(strings.TrimSuffix(rest, "\n)")) {
		columns = append(columns, strings.Trim(line, " ,\n"))
	}
	return strings.Join(columns, "|")
}

// A snapshot of two entities makes two tables; a whole number that is the key makes a
// key of numbers. Once ends when all rows are in.
func TestOnceWithSnapshots(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	onEach(t, func(t *testing.T, r *replica) {
		o := newOwner(t, hub)
		for i := range 1500 {
			o.rows[fmt.Sprintf("u-%s/%05d", r.name, i)] = map[string]any{"id": fmt.Sprintf("%05d", i), "name": "Ada"}
		}
		for i := 10; i < 90; i++ {
			o.rows[fmt.Sprintf("t-%s/%d", r.name, i)] = map[string]any{"id": i, "plan": nil}
		}
		o.version = 1
		o.serve(t, "u-"+r.name)
		o.serve(t, "t-"+r.name)
		cfg := r.config(hub, apply.Table{Entity: "u-" + r.name, Table: "users"}, apply.Table{Entity: "t-" + r.name, Table: "tenants"})
		cfg.Service, cfg.Once, cfg.Create, cfg.Start = "once-"+r.name, true, true, replhub.StartSnapshot()
		s, err := apply.Run(t.Context(), cfg)
		if err != nil || s.Tables[0].Applied != 1500 || s.Tables[1].Applied != 80 {
			t.Fatalf("%+v, %v", s, err)
		}
		if got := r.rows(t, "SELECT count(*), max(id) FROM users"); got != "1500|01499" {
			t.Error(got)
		}
		if got := r.rows(t, "SELECT count(*), max(id) + 1 FROM tenants"); got != "80|90" {
			t.Error(got)
		}
	})
}

// A column that no row fits is said before the first row is written, as is a column with
// values of its own that no member is for.
func TestFindingsOfFirstRows(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	onEach(t, func(t *testing.T, r *replica) {
		o := newOwner(t, hub)
		for i := range 5 {
			o.put(t, r.name, fmt.Sprint(i), map[string]any{"id": fmt.Sprint(i), "n": "many", "ok": true})
		}
		r.exec(t, "CREATE TABLE k (id varchar(64) PRIMARY KEY, n date, required integer NOT NULL, note varchar(20), ok varchar(5))")
		if r.name == "sqlite" { // whose date takes any text
			r.exec(t, "DROP TABLE k")
			r.exec(t, "CREATE TABLE k (id TEXT PRIMARY KEY, n BLOB, required INTEGER NOT NULL, note TEXT, ok TEXT)")
			r.exec(t, "INSERT INTO k (id, n, required, note) VALUES ('x', NULL, 1, 'mine')")
		} else {
			r.exec(t, "INSERT INTO k (id, n, required, note) VALUES ('x', '2024-01-01', 1, 'mine')")
		}
		cfg := r.config(hub, apply.Table{Entity: r.name, Table: "k"})
		cfg.Service, cfg.Once = "first-"+r.name, true
		_, err := apply.Run(t.Context(), cfg)
		var f *apply.FindingsError
		if !errors.As(err, &f) || len(f.All) < 2 {
			t.Fatalf("%v", err)
		}
		for _, want := range []string{`column "required" is NOT NULL, and no row of ` + r.name + ` has its member`, `column "note" has values, and no row of`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("not said: %q in\n%v", want, err)
			}
		}
		if r.name != "sqlite" && !strings.Contains(err.Error(), `column "n" (date) takes no row`) {
			t.Errorf("%v", err)
		}
		if got := r.rows(t, "SELECT id, note FROM k"); got != "x|mine" {
			t.Errorf("written: %s", got)
		}
	})
}
