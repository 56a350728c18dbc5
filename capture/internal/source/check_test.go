package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/replhub/replhub/capture/internal/selection"
)

// fit is a catalog with nothing in the way of a capture of public.users.
func fit() Catalog {
	return Catalog{
		Server: Server{
			Version: 150004, VersionText: "15.4", WALLevel: "logical", MaxSlots: 10, MaxSenders: 10, Encoding: "UTF8", Database: "app", Role: "owner",
			Replication: true, CreateInDatabase: true,
		},
		Tables: []Table{{
			OID: 1, Schema: "public", Name: "users", Kind: "r", Persistence: "p", Identity: "d", Owned: true, UsesSchema: true,
			Columns: []TableColumn{{Name: "id", Type: pgtype.Int4OID, NotNull: true, Readable: true}, {Name: "email", Type: pgtype.TextOID, Readable: true}},
			Indexes: []Index{{Name: "users_pkey", Columns: []string{"id"}, Primary: true}},
		}},
		NoKeys: map[uint32]bool{pgtype.Float8OID: true},
	}
}

// box adds a table to the catalog that is no entity.
func box(_ *Wanted, c *Catalog) {
	c.Tables = append(c.Tables, c.Tables[0])
	c.Tables[1].Name, c.Tables[1].Deletable = "box", true
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    selection.Config
		change func(w *Wanted, c *Catalog)
		// want are parts of findings, in their order; a statement is one, too. "~" begins
		// a warning.
		want []string
	}{
		"nothing": {},
		"everything at once": {change: func(w *Wanted, c *Catalog) {
			c.Server.WALLevel, c.Server.Replication, c.Tables[0].Identity = "replica", false, "n"
			w.Service = "No"
		}, want: []string{"ALTER SYSTEM SET wal_level = 'logical';", `ALTER ROLE "owner" REPLICATION;`, "No", `ALTER TABLE "public"."users" REPLICA IDENTITY DEFAULT;`}},
		"old server":                  {change: func(_ *Wanted, c *Catalog) { c.Server.Version = 130010 }, want: []string{"14 or later"}},
		"newer server":                {change: func(_ *Wanted, c *Catalog) { c.Server.Version = 180001 }, want: []string{"~tested with 15"}},
		"standby":                     {change: func(_ *Wanted, c *Catalog) { c.Server.Standby = true }, want: []string{"standby"}},
		"SQL_ASCII":                   {change: func(_ *Wanted, c *Catalog) { c.Server.Encoding = "SQL_ASCII" }, want: []string{"encoding UTF8"}},
		"no slot free":                {change: func(_ *Wanted, c *Catalog) { c.Server.Slots = 10 }, want: []string{"max_replication_slots = 20"}},
		"no sender free":              {change: func(_ *Wanted, c *Catalog) { c.Server.Senders = 10 }, want: []string{"max_wal_senders = 20"}},
		"slot name":                   {change: func(w *Wanted, _ *Catalog) { w.SlotName = "a-b" }, want: []string{`"a-b" is not a valid slot name`}},
		"no such table":               {cfg: selection.Config{Tables: []string{"public.people=user"}}, want: []string{"no such table"}},
		"no such column":              {cfg: selection.Config{Exclude: []string{"public.users.phone"}}, want: []string{"has such a column"}},
		"no such column of a pattern": {cfg: selection.Config{Exclude: []string{"public.users.phone*"}}, want: []string{"~has such a column"}},
		"a pattern that matches views alone": {cfg: selection.Config{Tables: []string{"public.users", "public.v*"}}, change: func(_ *Wanted, c *Catalog) {
			c.Tables = append(c.Tables, Table{Schema: "public", Name: "view", Kind: "v", Persistence: "p"})
		}, want: []string{"no table that can be captured"}},
		"a rule that never counts": {cfg: selection.Config{Tables: []string{"public.*", "public.us*=user"}}, want: []string{"~precedence"}},
		"excluded key":             {cfg: selection.Config{Exclude: []string{"public.users.id"}}, want: []string{`column "id" belongs to the key and cannot be excluded`}},
		"entity":                   {cfg: selection.Config{Tables: []string{"public.users=User"}}, want: []string{"--table public.users=<entity>"}},
		"no key": {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Indexes = nil }, want: []string{
			"no primary key", `ADD PRIMARY KEY`,
		}},
		"key is not unique": {cfg: selection.Config{Keys: []string{"public.users=email"}}, want: []string{
			"do not tell its rows apart", `CREATE UNIQUE INDEX ON "public"."users" ("email");`, `ALTER COLUMN "email" SET NOT NULL;`, "REPLICA IDENTITY FULL",
		}},
		"key of another index": {cfg: selection.Config{Keys: []string{"public.users=email"}}, change: func(_ *Wanted, c *Catalog) {
			c.Tables[0].Columns[1].NotNull = true
			c.Tables[0].Indexes = append(c.Tables[0].Indexes, Index{Name: "by_email", Columns: []string{"email"}})
		}, want: []string{"replica identity", `REPLICA IDENTITY USING INDEX "by_email";`}},
		"key of the identity": {cfg: selection.Config{Keys: []string{"public.users=email"}}, change: func(_ *Wanted, c *Catalog) {
			c.Tables[0].Columns[1].NotNull, c.Tables[0].Identity = true, "i"
			c.Tables[0].Indexes = append(c.Tables[0].Indexes, Index{Name: "by_email", Columns: []string{"email"}, Identity: true})
		}},
		"identity of another index": {change: func(_ *Wanted, c *Catalog) {
			c.Tables[0].Identity = "i"
			c.Tables[0].Indexes = append(c.Tables[0].Indexes, Index{Name: "by_email", Columns: []string{"email"}, Identity: true})
		}, want: []string{"replica identity", "REPLICA IDENTITY DEFAULT"}},
		"full identity": {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Identity = "f" }},
		"type of the key": {change: func(_ *Wanted, c *Catalog) {
			c.Tables[0].Columns[0].Type = pgtype.Float8OID
		}, want: []string{"several texts"}},
		"generated key": {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Columns[0].Generated = true }, want: []string{"generated"}},
		"may not read": {change: func(_ *Wanted, c *Catalog) {
			c.Tables[0].Columns[1].Readable, c.Tables[0].UsesSchema = false, false
		}, want: []string{"may not read", `GRANT USAGE ON SCHEMA "public" TO "owner";`, `GRANT SELECT ON "public"."users" TO "owner";`}},
		"may not read what is excluded": {cfg: selection.Config{Exclude: []string{"public.users.email"}}, change: func(_ *Wanted, c *Catalog) {
			c.Tables[0].Columns[1].Readable = false
		}},
		"row security":     {change: func(_ *Wanted, c *Catalog) { c.Tables[0].RowSecurity = true }, want: []string{"row security", "BYPASSRLS"}},
		"unlogged":         {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Persistence = "u" }, want: []string{"unlogged", "SET LOGGED"}},
		"unlogged pattern": {cfg: selection.Config{Tables: []string{"public.*"}}, change: func(_ *Wanted, c *Catalog) { c.Tables[0].Persistence = "u" }, want: []string{"no table that can be captured"}},
		"view":             {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Kind = "v" }, want: []string{"a view"}},
		"foreign":          {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Kind = "f" }, want: []string{"a foreign table"}},
		"partition":        {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Root = "public.all" }, want: []string{"name that table"}},
		"two tables": {cfg: selection.Config{Tables: []string{"public.*=user"}}, change: func(_ *Wanted, c *Catalog) {
			c.Tables = append(c.Tables, c.Tables[0])
			c.Tables[1].Name = "people"
		}, want: []string{"~no two of them may have a row of the same key"}},
		"may not publish": {change: func(_ *Wanted, c *Catalog) { c.Tables[0].Owned = false }, want: []string{
			"may not create it", `CREATE PUBLICATION "replhub_owner" FOR TABLE ONLY "public"."users" WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);`,
		}},
		"publication lacks a table": {change: func(_ *Wanted, c *Catalog) { c.Publication = &Publication{Name: "p", Ops: true, ViaRoot: true} }, want: []string{
			"lacks tables", "ADD TABLE",
		}},
		"publication of a schema": {change: func(_ *Wanted, c *Catalog) {
			c.Publication = &Publication{Name: "p", Ops: true, ViaRoot: true, Schemas: map[string]bool{"public": true}}
		}},
		"publication of all tables": {change: func(_ *Wanted, c *Catalog) {
			c.Publication = &Publication{Name: "p", Ops: true, ViaRoot: true, AllTables: true}
		}, want: []string{"~FOR ALL TABLES"}},
		"publication without deletes": {change: func(_ *Wanted, c *Catalog) { c.Publication = &Publication{Name: "p", AllTables: true} }, want: []string{
			"every kind of change", `ALTER PUBLICATION "p" SET (publish`, "~FOR ALL TABLES",
		}},
		"publication of some rows": {change: func(_ *Wanted, c *Catalog) {
			c.Publication = &Publication{Name: "p", Ops: true, ViaRoot: true, Tables: map[string]Published{"public.users": {Filtered: true}}}
		}, want: []string{"only some rows", "DROP TABLE", "ADD TABLE"}},
		"outbox": {cfg: selection.Config{Outboxes: []string{"public.box=entity=:team,payload=email"}}, change: box},
		"outbox of the package": {cfg: selection.Config{Outboxes: []string{"public.box"}}, change: box, want: []string{
			"it has no column content_type, entity", "no table public.box_generation",
		}},
		"no outbox": {cfg: selection.Config{Outboxes: []string{"public.none=debezium"}}, want: []string{"no such table"}},
		"outbox that nobody could delete from": {cfg: selection.Config{Outboxes: []string{"public.box=entity=:team,payload=email"}}, change: func(w *Wanted, c *Catalog) {
			box(w, c)
			c.Tables[1].Indexes, w.DeleteOutbox, c.Tables[1].Filled, c.Tables[1].Deletable = nil, true, true, false
		}, want: []string{`"box" REPLICA IDENTITY FULL;`, "no primary key", "ADD PRIMARY KEY", "may not delete", `GRANT SELECT, DELETE ON "public"."box" TO "owner";`, "~rows from before"}},
		"slot of another plugin":   {change: func(_ *Wanted, c *Catalog) { c.Slot = &Slot{Plugin: "wal2json", Database: "app"} }, want: []string{"wal2json"}},
		"slot of another database": {change: func(_ *Wanted, c *Catalog) { c.Slot = &Slot{Plugin: "pgoutput", Database: "other"} }, want: []string{`"other"`}},
		"slot that is lost":        {change: func(_ *Wanted, c *Catalog) { c.Slot = &Slot{Plugin: "pgoutput", Database: "app", WALStatus: "lost"} }, want: []string{"--resync", "pg_drop"}},
		"lost slot at a resync": {change: func(w *Wanted, c *Catalog) {
			w.Resync, c.Slot = true, &Slot{Plugin: "pgoutput", Database: "app", WALStatus: "lost"}
		}},
		"slot in use": {change: func(_ *Wanted, c *Catalog) {
			c.Slot, c.Server.Senders = &Slot{Plugin: "pgoutput", Database: "app", Active: true, PID: 7}, 10
		}, want: []string{"~stands by"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.cfg.Tables == nil {
				c.cfg.Tables = []string{"public.users=user"}
			}
			w, catalog := Wanted{Service: "owner", SlotName: "s", PublicationName: "replhub_owner", Selection: selectionOf(t, c.cfg)}, fit()
			if c.change != nil {
				c.change(&w, &catalog)
			}
			var got []string
			for _, f := range Check(w, catalog) {
				level := ""
				if f.Warning {
					level = "~"
				}
				got = append(append(got, level+f.About+": "+f.Message), f.Statements...)
			}
			if !inOrder(got, c.want) {
				t.Errorf("got\n%s\nwant parts of %q", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

// inOrder reports whether the texts have the parts in their order, and no finding
// besides.
func inOrder(texts, parts []string) bool {
	at, findings := 0, 0
	for _, text := range texts {
		if strings.Contains(text, ": ") {
			findings++
		}
		for at < len(parts) {
			part, warning := strings.CutPrefix(parts[at], "~")
			if warning && text[0] != '~' || !strings.Contains(text, part) {
				break
			}
			at++
		}
	}
	return at == len(parts) && findings <= max(len(parts), 0)
}

// Without rights, the statements are printed; once somebody with the rights has run them,
// nothing is in the way, and what is missing is made.
func TestPreflightOfARoleWithoutRights(t *testing.T) {
	d := newDatabase(t,
		"CREATE TABLE users (id int PRIMARY KEY, name text, secret text)",
		"CREATE TABLE loose (a text, b int NOT NULL)",
		"CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)",
		"CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
		"DROP ROLE IF EXISTS weak", "CREATE ROLE weak LOGIN",
	)
	w := wanted(t, selection.Config{Tables: []string{"public.*"}, Exclude: []string{"public.users.secret"}, Keys: []string{"public.loose=b"}})
	weak := d.config.Copy()
	weak.User = "weak"
	conn, err := Connect(t.Context(), weak)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	c, err := Read(t.Context(), conn, w)
	if err != nil {
		t.Fatal(err)
	}
	found := Check(w, c)
	about := map[string]bool{}
	for _, f := range found {
		about[f.About] = true
		for _, statement := range f.Statements {
			if !strings.HasPrefix(statement, "CREATE PUBLICATION") {
				d.exec(statement)
			}
		}
	}
	for _, want := range []string{"role weak", "table public.loose", "table public.users", "publication replhub_owner"} {
		if !about[want] {
			t.Errorf("nothing is said about %s in\n%s", want, found)
		}
	}
	for _, f := range found {
		for _, statement := range f.Statements {
			if strings.HasPrefix(statement, "CREATE PUBLICATION") {
				d.exec(statement)
			}
		}
	}
	if c, err = Read(t.Context(), conn, w); err != nil {
		t.Fatal(err)
	}
	if found := Check(w, c); len(found) > 0 {
		t.Fatalf("after the statements:\n%s", found)
	}
	if err := Setup(t.Context(), conn, w, c, nil, true, quiet()); err != nil {
		t.Fatal(err)
	}
	d.exec("DROP OWNED BY weak", fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", w.SlotName))
}

// What is missing is made once; a table that a pattern matches later is added.
func TestSetup(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY)")
	w := wanted(t, selection.Config{Tables: []string{"public.*"}})
	for round, want := range []int{1, 1, 2} {
		if round == 2 {
			d.exec(`CREATE TABLE "Later" (id int PRIMARY KEY)`)
			w.Selection = selectionOf(t, selection.Config{Tables: []string{"public.*", "public.Later=later"}})
		}
		c, err := Read(t.Context(), d.Conn, w)
		if err != nil {
			t.Fatal(err)
		}
		if found := Check(w, c); len(found) > 0 {
			t.Fatalf("round %d:\n%s", round, found)
		}
		if err := Setup(t.Context(), d.Conn, w, c, nil, true, quiet()); err != nil {
			t.Fatal(err)
		}
		var tables []string
		if err := d.QueryRow(t.Context(), "SELECT array_agg(tablename::text) FROM pg_publication_tables WHERE pubname = $1", w.PublicationName).Scan(&tables); err != nil {
			t.Fatal(err)
		}
		if len(tables) != want || round == 2 && !slices.Contains(tables, "Later") {
			t.Errorf("round %d: the publication has %v", round, tables)
		}
	}
	d.exec(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", w.SlotName))
}

// A slot of which ingest has no record may have lost changes, or is new; one in use has
// its record soon.
func TestUnrecorded(t *testing.T) {
	for want, slot := range map[bool]*Slot{true: {Name: "a"}, false: {Name: "a", Active: true}} {
		found := Unrecorded(Catalog{Slot: slot})
		if len(found) > 0 != want || found.Failed() || want && !strings.Contains(found.String(), "--resync") {
			t.Errorf("%+v: %s", slot, found)
		}
	}
	if found := Unrecorded(Catalog{}); len(found) > 0 {
		t.Errorf("without a slot: %s", found)
	}
}
