package inbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// What cannot work is told at the first use, with what mends it.
func TestTableThatCannotWork(t *testing.T) {
	type wrong struct {
		dialect database.Dialect
		tables  []string
		column  string
		want    []string
	}
	var cases []wrong
	onAll := func(column string, want []string, tables ...string) {
		for _, d := range []database.Dialect{database.Postgres, database.MariaDB, database.SQLite} {
			cases = append(cases, wrong{d, tables, column, want})
		}
	}
	onAll("v", []string{"it does not exist", "other"}, "CREATE TABLE other (id int PRIMARY KEY)")
	onAll("w", []string{`it has no column "w", but id, v`}, "CREATE TABLE t (id int PRIMARY KEY, v int)")
	onAll("v", []string{"it has no column \"id\""}, "CREATE TABLE t (v int)")
	onAll("v", []string{"neither the primary key nor unique", "to correct that: "}, "CREATE TABLE t (id int NOT NULL, v int)")
	onAll("v", []string{"neither the primary key nor unique"}, "CREATE TABLE t (id int NOT NULL, v int, PRIMARY KEY (id, v))")
	onAll("v", []string{`column "v" is generated`}, "CREATE TABLE t (id int PRIMARY KEY, a int, v int GENERATED ALWAYS AS (a + 1) STORED)")
	onAll("v", []string{`column "need" is NOT NULL, has no default and is not mapped`}, "CREATE TABLE t (id int PRIMARY KEY, v int, need int NOT NULL)")
	onAll("w", []string{`no column "w"`, `"need" is NOT NULL`}, "CREATE TABLE t (id int PRIMARY KEY, v int, need int NOT NULL)")
	cases = append(cases,
		wrong{database.Postgres, []string{"CREATE TABLE t (id int NOT NULL, v int)", "CREATE UNIQUE INDEX i ON t (id) WHERE v > 0"}, "v", []string{"neither the primary key nor unique"}},
		wrong{database.Postgres, []string{"CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v int)"}, "v", []string{"not deferrable"}},
		wrong{database.Postgres, []string{"CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int)"}, "v", []string{`column "id" is generated`}},
		wrong{database.Postgres, []string{`CREATE TABLE t (id int PRIMARY KEY, "V" int)`}, "v", []string{`no column "v", but id, V`}},
		wrong{database.MariaDB, []string{"CREATE TABLE t (id varchar(20) COLLATE utf8mb4_nopad_bin NOT NULL, v int, UNIQUE (id(5)))"}, "v", []string{"neither the primary key nor unique"}},
		wrong{database.SQLite, []string{"CREATE TABLE t (id text NOT NULL, v int)", "CREATE UNIQUE INDEX i ON t (id) WHERE v > 0"}, "v", []string{"neither the primary key nor unique"}},
	)
	onEach(t, func(t *testing.T, d database.Dialect) {
		db := open(t, d)
		for _, c := range cases {
			if c.dialect != d {
				continue
			}
			for _, statement := range append([]string{"DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS other"}, c.tables...) {
				create(t, db, statement)
			}
			table, err := inboxOn(t, d).NewTable(inbox.TableConfig{Table: "t", Columns: []inbox.Column{{Name: c.column}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{put(t, db, table, replhub.Create, "1", `{"v":1}`), table.Check(t.Context(), db)} {
				if _, ok := errors.AsType[*inbox.TableError](err); !ok || database.Classify(err) != database.Unavailable {
					t.Errorf("%s: %v: %v", d, c.tables, err)
					continue
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %v: got %v, want %q", d, c.tables, err, want)
					}
				}
			}
		}
	})
}

// What the statement of an error makes is a table that works.
func TestUniqueKeyAsOffered(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		create(t, db, "CREATE TABLE t (id int NOT NULL, v int)")
		table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: "t", Columns: []inbox.Column{{Name: "v"}}})
		if err != nil {
			t.Fatal(err)
		}
		err = table.Check(t.Context(), db)
		if err == nil {
			t.Fatal("a key that is not unique passed")
		}
		create(t, db, strings.TrimPrefix(mend.FindString(err.Error()), "to correct that: "))
		for _, v := range []string{"1", "2"} {
			if err := put(t, db, table, replhub.Update, "42", `{"v":`+v+`}`); err != nil {
				t.Error(err)
			}
		}
		if got := line(t, db, "SELECT id, v FROM t"); got != "42|2" {
			t.Errorf("there is %q", got)
		}
	})
}

// Columns that are altered are seen: wider at the next value that does not fit,
// narrower at the next error.
func TestAlteredColumns(t *testing.T) {
	on(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		create(t, db, "CREATE TABLE t (id int PRIMARY KEY, v varchar(3))")
		in := inboxOn(t, dialect)
		in.SetShapeDoubt(0)
		table, err := in.NewTable(inbox.TableConfig{Table: "t", Columns: []inbox.Column{{Name: "v"}}})
		if err != nil {
			t.Fatal(err)
		}
		var refused *inbox.ValueError
		if err := put(t, db, table, replhub.Create, "1", `{"v":"long"}`); !errors.As(err, &refused) {
			t.Fatalf("four characters for three: %v", err)
		}
		alter := map[database.Dialect]string{database.Postgres: "ALTER TABLE t ALTER COLUMN v TYPE ", database.MariaDB: "ALTER TABLE t MODIFY v "}[dialect]
		create(t, db, alter+"varchar(9)")
		if err := put(t, db, table, replhub.Create, "1", `{"v":"long"}`); err != nil {
			t.Fatal(err)
		}
		create(t, db, "DELETE FROM t")
		create(t, db, alter+"varchar(2)")
		if err := put(t, db, table, replhub.Create, "1", `{"v":"long"}`); err == nil || errors.As(err, &refused) {
			t.Fatalf("a type that is not known yet: %v", err)
		}
		if err := put(t, db, table, replhub.Create, "1", `{"v":"long"}`); !errors.As(err, &refused) || !strings.Contains(refused.Type, "(2)") {
			t.Errorf("after the database's error: %v", err)
		}
	}, database.Postgres, database.MariaDB)
}

// A null for a column that must not be NULL is refused; MariaDB would store 0.
func TestNullInANotNullColumn(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		if dialect == database.MariaDB {
			db.SetMaxOpenConns(1)
			create(t, db, "SET SESSION sql_mode = ''")
		}
		create(t, db, "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, w int NOT NULL)")
		table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: "t", Columns: []inbox.Column{{Name: "v"}, {Name: "w", Default: 7}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := put(t, db, table, replhub.Create, "1", `{"v":1}`); err != nil {
			t.Fatal(err)
		}
		for payload, want := range map[string]string{
			`{"v":null}`:         `column "v" (int): value null: it is null, and the column is NOT NULL`,
			`{}`:                 `column "v" (int): the payload has no member "v", and the column is NOT NULL`,
			`{"v":1,"w":null}`:   `column "w" (int): value null: it is null`,
			`{"v":"\ud800"}`:     `half a surrogate pair`,
			`{"v":` + long + `}`: `1111… (300 bytes)`,
		} {
			err := put(t, db, table, replhub.Update, "1", payload)
			var refused *inbox.ValueError
			if !errors.As(err, &refused) || !strings.Contains(strings.NewReplacer("integer", "int", "int(11)", "int", "INT", "int").Replace(err.Error()), want) {
				t.Errorf("%s: %v, want %q", payload, err, want)
			}
		}
		if got := line(t, db, "SELECT id, v, w FROM t"); got != "1|1|7" {
			t.Errorf("there is %q", got)
		}
	})
}

var long = strings.Repeat("1", 300)

// A session whose character set is not that of the text would change it.
func TestSessionsCharacterSet(t *testing.T) {
	on(t, refusesTheSessionsCharacterSet, database.MariaDB)
}

func refusesTheSessionsCharacterSet(t *testing.T, dialect database.Dialect) {
	db := open(t, dialect)
	create(t, db, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "SET NAMES latin1"); err != nil {
		t.Fatal(err)
	}
	table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: "t", Columns: []inbox.Column{{Name: "v"}}})
	if err != nil {
		t.Fatal(err)
	}
	err = table.Apply(t.Context(), conn, &replhub.Delivery{Entity: "user", Op: replhub.Create, Key: "1", Data: []byte(`{"v":"ä"}`)})
	var wrong *inbox.TableError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "character set is latin1") {
		t.Error(err)
	}
}

// Errors that no second attempt changes say so.
func TestValueErrorsArePermanent(t *testing.T) {
	r := newReplica(t, inbox.Config{})
	for name, d := range map[string]*replhub.Delivery{
		"value":    {Entity: "user", Op: replhub.Create, Key: "k", Data: []byte(`{"name":"` + long + `"}`), Position: replhub.Position{Seq: 1}},
		"not JSON": {Entity: "user", Op: replhub.Create, Key: "k", Data: []byte(`<xml>`), Position: replhub.Position{Seq: 1}},
		"no key":   {Entity: "user", Op: replhub.Create, Data: []byte(`{}`), Position: replhub.Position{Seq: 1}},
		"bad key":  {Entity: "user", Op: replhub.Delete, Key: " k", Position: replhub.Position{Seq: 1}},
	} {
		_, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users)
		if database.Classify(err) != database.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is older than what was applied is stale, whatever its values.
	r.mustDo(t, user(replhub.Update, "k", 9), inbox.Applied)
	old := user(replhub.Update, "k", 8)
	old.Data = []byte(`{"name":` + `"` + long + `"}`)
	if outcome, err := r.inbox.Replicate(t.Context(), r.DB, old, r.users); err != nil || outcome != inbox.Stale {
		t.Errorf("an old delivery: %v, %v", outcome, err)
	}
}
