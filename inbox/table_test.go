package inbox_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// put applies a payload to a table by itself.
func put(t *testing.T, db *sql.DB, table *inbox.Table, op replhub.Op, key, payload string) error {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	d := &replhub.Delivery{Entity: "user", Op: op, Key: key, Data: []byte(payload)}
	if err := table.Apply(t.Context(), tx, d); err != nil {
		return err
	}
	return tx.Commit()
}

func create(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// line is one row as text, NULL as "-".
func line(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range values {
			if !v.Valid {
				v.String = "-"
			}
			texts = append(texts, v.String)
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// Values of each kind of JSON in columns of types as people have them.
func TestTableValues(t *testing.T) {
	types := map[database.Dialect]map[string]string{
		database.Postgres: {"json": "jsonb", "bool": "boolean", "text": "text"},
		database.MariaDB:  {"json": "json", "bool": "boolean", "text": "text"},
		database.SQLite:   {"json": "text", "bool": "boolean", "text": "text"},
	}
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		create(t, db, fmt.Sprintf("CREATE TABLE users (id bigint PRIMARY KEY, name %[2]s, age int, score double precision,"+
			" credit numeric(30,4), big bigint, active %[3]s, tags %[1]s, city %[2]s, code %[2]s, note varchar(9), own int DEFAULT 7)",
			types[dialect]["json"], types[dialect]["text"], types[dialect]["bool"]))
		table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: "users", Columns: []inbox.Column{
			{Name: "name"},
			{Name: "age"},
			{Name: "score"},
			{Name: "credit"},
			{Name: "big"},
			{Name: "active"},
			{Name: "tags"},
			{Name: "city", Path: "address.city"},
			{Name: "code", Path: "address.zip"},
			{Name: "note", Default: "none", Convert: func(v any) (any, error) {
				n, ok := v.(json.Number)
				if !ok {
					return nil, fmt.Errorf("%T is no number", v)
				}
				return "n" + n.String(), nil
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		const query = "SELECT id, name, age, score, credit, big, active, tags, city, code, note, own FROM users ORDER BY id"
		yes, no, tags := "1", "0", `{"a":[1,"<&>"]}`
		switch dialect {
		case database.Postgres:
			yes, no, tags = "true", "false", `{"a": [1, "<&>"]}`
		case database.MariaDB, database.SQLite:
		}
		decimal := func(s string) string {
			if dialect == database.SQLite {
				return strings.TrimSuffix(s, "00")
			}
			return s
		}
		for _, c := range []struct {
			op            replhub.Op
			payload, want string
		}{
			{
				replhub.Create, `{"id":42,"name":"Ada <&> O'Neil","age":36,"score":1.5,"credit":12.25,"big":9007199254740993,"active":true,` +
					`"tags":{"a":[1,"<&>"]},"address":{"city":"Łódź","zip":90001},"note":5,"unknown":1}`,
				"42|Ada <&> O'Neil|36|1.5|" + decimal("12.2500") + "|9007199254740993|" + yes + "|" + tags + "|Łódź|90001|n5|7",
			},
			{replhub.Update, `{"name":"","active":false,"age":null,"address":"none","note":6}`, "42||-|-|-|-|" + no + "|-|-|-|n6|7"},
			{replhub.Read, `{"name":"same"}`, "42|same|-|-|-|-|-|-|-|-|none|7"},
			{replhub.Update, `{"name":"same"}`, "42|same|-|-|-|-|-|-|-|-|none|7"},
			{replhub.Delete, ``, ""},
			{replhub.Delete, ``, ""},
			{replhub.Update, `{"name":"back"}`, "42|back|-|-|-|-|-|-|-|-|none|7"},
		} {
			if err := put(t, db, table, c.op, "42", c.payload); err != nil {
				t.Fatalf("%s %s: %v", c.op, c.payload, err)
			}
			if got := line(t, db, query); got != c.want {
				t.Errorf("%s %s:\n got %s\nwant %s", c.op, c.payload, got, c.want)
			}
		}
		for payload, want := range map[string]string{
			`{"note":"x"}`: `table users: column "note": string is no number`,
			`{"name":`:     "payload as JSON",
			``:             "payload as JSON",
			`[1]`:          "payload as JSON",
			`null`:         "null is no entity",
			`{} {}`:        "more than one value",
		} {
			if err := put(t, db, table, replhub.Update, "42", payload); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", payload, err, want)
			}
		}
		if err := put(t, db, table, replhub.Update, "", `{"name":"x"}`); err == nil || !strings.Contains(err.Error(), "no key") {
			t.Errorf("no key: %v", err)
		}
	})
}

// A row of another key is never replaced, though it has a unique column in common.
func TestTableKeepsOtherRows(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		create(t, db, "CREATE TABLE users (id varchar(9) PRIMARY KEY, email varchar(9) UNIQUE)")
		table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: "users", Columns: []inbox.Column{{Name: "email"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := put(t, db, table, replhub.Create, "1", `{"email":"a@b"}`); err != nil {
			t.Fatal(err)
		}
		if err := put(t, db, table, replhub.Create, "2", `{"email":"a@b"}`); err == nil {
			t.Error("the second of the same email was taken")
		}
		if got := line(t, db, "SELECT id, email FROM users"); got != "1|a@b" {
			t.Errorf("there is %q", got)
		}
	})
}

// Names are names, whatever is in them.
func TestTableNamesAreQuoted(t *testing.T) {
	const hostile = "x\"`'; DROP TABLE users; --"
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		create(t, db, "CREATE TABLE users (id int)")
		quoted, order := `"`+strings.ReplaceAll(hostile, `"`, `""`)+`"`, `"order"`
		if dialect == database.MariaDB {
			quoted, order = "`"+strings.ReplaceAll(hostile, "`", "``")+"`", "`order`"
		}
		create(t, db, fmt.Sprintf("CREATE TABLE %[1]s (%[1]s varchar(9) PRIMARY KEY, %[2]s varchar(9))", quoted, order))
		table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: hostile, Key: hostile, Columns: []inbox.Column{{Name: "order", Path: "a"}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"'; DROP TABLE users; --", "b"} {
			name = name[:min(9, len(name))]
			if err := put(t, db, table, replhub.Update, "k", fmt.Sprintf(`{"a":%q}`, name)); err != nil {
				t.Fatal(err)
			}
			if got := line(t, db, fmt.Sprintf(`SELECT concat(%s, '|', %s) FROM %[1]s`, quoted, order)); got != "k|"+name {
				t.Errorf("there is %q", got)
			}
		}
		if err := put(t, db, table, replhub.Delete, "k", ""); err != nil {
			t.Fatal(err)
		}
		if got := line(t, db, "SELECT count(*) FROM "+quoted) + line(t, db, "SELECT count(*) FROM users"); got != "00" {
			t.Errorf("counts %s", got)
		}

		in, err := inbox.New(inbox.Config{Dialect: dialect, Table: hostile + "2"})
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Migrate(t.Context(), db); err != nil {
			t.Errorf("migrate: %v", err)
		}
	})
}

type address struct {
	City string  `json:"city" db:"city"`
	Geo  *[2]int `json:"geo" db:"geo"`
}

type stamps struct {
	Created string `json:"created_at" db:"created_at"`
}

type person struct {
	stamps

	ID     string   `json:"id" db:"id"`
	Email  string   `json:"email,omitempty" db:"email,unique"`
	Plain  int      `db:"plain"`
	Home   *address `json:"home"`
	Parent *person  `json:"parent"`
	Hidden string   `json:"-" db:"hidden"`
	Unset  string   `json:"unset" db:"-"`
	None   string   `json:"none"`
	lower  string   `db:"lower"` //nolint:unused // must be passed over
}

func TestTableFor(t *testing.T) {
	db := open(t, database.SQLite)
	create(t, db, "CREATE TABLE people (id text PRIMARY KEY, email text, plain int, city text, geo text, created_at text, extra text)")
	table, err := inbox.TableFor[person](inboxOn(t, database.SQLite), inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "extra"}}})
	if err != nil {
		t.Fatal(err)
	}
	payload := `{"id":"other","email":"a@b","Plain":3,"home":{"city":"Rome","geo":[1,2]},"created_at":"2024","extra":"e"}`
	if err := put(t, db, table, replhub.Create, "k", payload); err != nil {
		t.Fatal(err)
	}
	if got := line(t, db, "SELECT id, email, plain, city, geo, created_at, extra FROM people"); got != "k|a@b|3|Rome|[1,2]|2024|e" {
		t.Errorf("there is %s", got)
	}

	if _, err := inbox.TableFor[int](inboxOn(t, database.SQLite), inbox.TableConfig{Table: "t"}); err == nil || !strings.Contains(err.Error(), "must be a struct") {
		t.Errorf("an int: %v", err)
	}
	type unnamed struct {
		A int `db:""`
	}
	if _, err := inbox.TableFor[unnamed](inboxOn(t, database.SQLite), inbox.TableConfig{Table: "t"}); err == nil || !strings.Contains(err.Error(), "names no column") {
		t.Errorf("an empty tag: %v", err)
	}
}

func TestConfigsAreChecked(t *testing.T) {
	one := []inbox.Column{{Name: "a"}}
	for want, cfg := range map[string]inbox.TableConfig{
		"Columns: at least":    {Table: "t"},
		`Table: name ""`:       {Columns: one},
		`"a": named twice`:     {Table: "t", Columns: slices.Repeat(one, 2)},
		`"id": named twice`:    {Table: "t", Columns: []inbox.Column{{Name: "id"}}},
		`column: name "a\x00"`: {Table: "t", Columns: []inbox.Column{{Name: "a\x00"}}},
	} {
		if _, err := inboxOn(t, database.Postgres).NewTable(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("table: got %v, want %q", err, want)
		}
	}
	for want, cfg := range map[string]inbox.Config{
		"inbox config: Dialect -1":            {Dialect: -1},
		`inbox config: Table: name ""`:        {Table: "schema."},
		"inbox config: Table: name \"ttttttt": {Table: strings.Repeat("t", 64)},
	} {
		if _, err := inbox.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("inbox: got %v, want %q", err, want)
		}
	}
}
