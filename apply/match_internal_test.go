package apply

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/bridge"
)

// Fields are the fewest paths that have all that columns take.
func TestFieldsOf(t *testing.T) {
	for _, tt := range []struct{ paths, want string }{
		{"name", "name"},
		{"name id", "id name"},
		{"address address.city", "address"},
		{"address.city address.zip", "address.city address.zip"},
		{"address addresses", "address addresses"},
		{"name name", "name"},
		{`a\b`, `a\\b`},
	} {
		var columns []inbox.Column
		for path := range strings.FieldsSeq(tt.paths) {
			columns = append(columns, inbox.Column{Path: path})
		}
		if got := strings.Join(fieldsOf(columns), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.paths, got, tt.want)
		}
	}
}

// Each column takes the member of its name, unless it is the key's, mapped, ignored or
// generated; names are as the database compares them.
func TestMatch(t *testing.T) {
	columns := []inbox.TableColumn{{Name: "ID", Primary: true}, {Name: "name"}, {Name: "City"}, {Name: "note"}, {Name: "sum", Generated: true}}
	spec := Table{Entity: "user", Table: "people", Columns: map[string]string{"city": "address.city"}, Ignore: []string{"NOTE"}}
	m, found := match(database.SQLite, spec, columns)
	want := []inbox.Column{{Name: "name", Path: "name"}, {Name: "City", Path: "address.city"}}
	opts := cmp.Comparer(func(a, b inbox.Column) bool { return a.Name == b.Name && a.Path == b.Path })
	if diff := cmp.Diff(want, m.table.Columns, opts); diff != "" || m.table.Key != "ID" || len(found) > 0 {
		t.Errorf("%s, key %s, %q", diff, m.table.Key, found)
	}
	if _, found = match(database.Postgres, spec, columns); len(found) != 2 {
		t.Errorf("in PostgreSQL, where letters count: %q", found)
	}
	if _, found = match(database.Postgres, Table{Table: "t", Key: "id"}, []inbox.TableColumn{{Name: "id"}}); len(found) != 1 || !strings.Contains(found[0], "no column beside its key") {
		t.Errorf("%q", found)
	}
}

// What is registered and not wished otherwise stays; what differs is said, and rows that
// lack something are fetched again.
func TestPlanRegistration(t *testing.T) {
	user := func(fields ...string) []wish { return []wish{{entity: "user", fields: fields}} }
	cfg := Config{Service: "sharing", Start: replhub.StartNew()}
	registered := func(change func(*replhub.Status)) *replhub.Status {
		s := &replhub.Status{
			State: replhub.StateLive, Entities: []string{"user"}, Queue: replhub.Queue{Order: replhub.OrderKey, Partitions: 4},
			Interests: []replhub.Interest{{Entity: "user", Ops: []replhub.Op{replhub.Create}, Filter: "data.a", Fields: []string{"id", "name"}, Echo: true}},
		}
		if change != nil {
			change(s)
		}
		return s
	}
	for name, tt := range map[string]struct {
		was                     *replhub.Status
		cfg                     func(*Config)
		wishes                  []wish
		changes, widened, found int
		filter                  string
		partitions              int
		fresh                   bool
	}{
		"new":                {wishes: user("name"), partitions: 8, fresh: true},
		"new, more":          {wishes: user("name"), cfg: func(c *Config) { c.Partitions = 2 }, partitions: 2, fresh: true},
		"as it is":           {was: registered(nil), wishes: user("name", "id"), filter: "data.a"},
		"wider":              {was: registered(nil), wishes: user("name", "city"), filter: "data.a", changes: 1, widened: 1},
		"narrower":           {was: registered(nil), wishes: user("name"), filter: "data.a", changes: 1},
		"below":              {was: registered(nil), wishes: user("id", "name.first"), filter: "data.a", changes: 1},
		"to be made":         {was: registered(nil), wishes: []wish{{entity: "user", unmade: true}}, filter: "data.a"},
		"whole rows":         {was: registered(nil), wishes: user(), filter: "data.a", changes: 1, widened: 1},
		"another filter":     {was: registered(nil), wishes: []wish{{entity: "user", fields: []string{"id", "name"}, where: "true"}}, filter: "true", changes: 1, widened: 1},
		"another entity":     {was: registered(nil), wishes: []wish{{entity: "tenant"}}, found: 1, fresh: true},
		"other partitions":   {was: registered(nil), cfg: func(c *Config) { c.Partitions = 6 }, wishes: user("id", "name"), filter: "data.a", changes: 1, partitions: 6},
		"no order":           {was: registered(func(s *replhub.Status) { s.Queue = replhub.Queue{Order: replhub.OrderNone} }), wishes: user("id", "name"), filter: "data.a"},
		"no order to part":   {was: registered(func(s *replhub.Status) { s.Queue.Order = replhub.OrderNone }), cfg: func(c *Config) { c.Partitions = 6 }, wishes: user("id", "name"), filter: "data.a", found: 1},
		"detached":           {was: registered(func(s *replhub.Status) { s.State = replhub.StateDetached }), wishes: user("id", "name"), filter: "data.a", found: 1},
		"detached, snapshot": {was: registered(func(s *replhub.Status) { s.State = replhub.StateDetached }), cfg: func(c *Config) { c.Start = replhub.StartSnapshot() }, wishes: user("id", "name"), filter: "data.a"},
	} {
		c := cfg
		if tt.cfg != nil {
			tt.cfg(&c)
		}
		p, found := planRegistration(c, tt.was, tt.wishes)
		in := p.registration.Interests[0]
		if len(p.changes) != tt.changes || len(p.widened) != tt.widened || len(found) != tt.found || in.Filter != tt.filter ||
			p.registration.Queue.Partitions != tt.partitions || (p.registration.Queue.MaxDeliver == bridge.NewMaxDeliver) != (tt.was == nil) || len(p.fresh) > 0 != tt.fresh || !tt.fresh && (!in.Echo || len(in.Ops) != 1) {
			t.Errorf("%s: %+v, %q", name, p, found)
		}
	}
}

// The type of a column is one that loses nothing of what was seen.
func TestTypes(t *testing.T) {
	for _, tt := range []struct{ values, postgres, mariadb, sqlite string }{
		{`null`, "text", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`"a" null`, "text", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`"2024-01-02T03:04:05Z" "2024-01-02T03:04:05.123456+05:30"`, "timestamptz", "datetime(6)", "TEXT"},
		{`"2024-01-02T03:04:05Z" ""`, "text", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`"2024-01-02T03:04:05.123456789Z"`, "text", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`"2024-01-02T03:04:05"`, "text", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`"0000-01-02T03:04:05Z"`, "text", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`1 -9223372036854775808`, "numeric", "bigint", "INTEGER"},
		{`1 9223372036854775808`, "numeric", "decimal(65,30)", "TEXT"},
		{`1 0.1`, "numeric", "decimal(65,30)", "NUMERIC"},
		{`0.1234567890123456789`, "numeric", "decimal(65,30)", "TEXT"},
		{`1e400`, "numeric", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`5e-324`, "numeric", "longtext CHARACTER SET utf8mb4", "TEXT"},
		{`true false null`, "boolean", "boolean", "BOOLEAN"},
		{`{} []`, "jsonb", "json", "TEXT"},
		{`1 "1"`, "jsonb", "json", ""},
		{`true 1`, "jsonb", "json", ""},
		{`{} 1`, "jsonb", "json", ""},
	} {
		var s sort
		for value := range strings.FieldsSeq(tt.values) {
			s |= sortOf([]byte(value))
		}
		got := []string{typeOf(database.Postgres, s), typeOf(database.MariaDB, s), typeOf(database.SQLite, s)}
		if want := []string{tt.postgres, tt.mariadb, tt.sqlite}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.values, got, want)
		}
	}
}

// A column that no row fits is a misfit, one that some rows do not fit is a warning; one
// row alone proves nothing.
func TestWeigh(t *testing.T) {
	m := matched{spec: Table{Entity: "user", Table: "p"}, table: inbox.TableConfig{Key: "id", Columns: []inbox.Column{{Name: "a"}, {Name: "b"}}}}
	bad := func(columns ...string) inbox.Trial {
		var t inbox.Trial
		for _, c := range columns {
			if name, missing := strings.CutPrefix(c, "-"); missing {
				t.Missing = append(t.Missing, name)
				continue
			}
			t.Refused = append(t.Refused, &inbox.ValueError{Column: c})
		}
		return t
	}
	for name, tt := range map[string]struct {
		trials                    []inbox.Trial
		misfits, warnings, absent int
	}{
		"none":       {nil, 0, 0, 0},
		"all fit":    {[]inbox.Trial{bad(), bad()}, 0, 0, 0},
		"one row":    {[]inbox.Trial{bad("a")}, 0, 1, 0},
		"all refuse": {[]inbox.Trial{bad("a"), bad("a", "b")}, 1, 1, 0},
		"no object":  {[]inbox.Trial{bad(""), bad("")}, 1, 0, 0},
		"the key":    {[]inbox.Trial{bad("id"), bad("id")}, 1, 0, 0},
		"absent":     {[]inbox.Trial{bad("-a"), bad("-a", "-b")}, 0, 0, 1},
	} {
		misfits, warnings, absent := weigh(m, tt.trials)
		if len(misfits) != tt.misfits || len(warnings) != tt.warnings || len(absent) != tt.absent {
			t.Errorf("%s: %q, %q, %q", name, misfits, warnings, absent)
		}
	}
}
