package inbox_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// sample is one JSON value; its label stands for it where it is long or cannot be
// shown.
type sample struct{ label, raw string }

func samples() []sample {
	var all []sample
	for _, raw := range []string{
		`true`, `false`,
		`0`, `-0`, `-1`, `1`, `42`, `1.0`, `1e3`, `1.5`, `0.1`, `1.005`, `12345.67`, `300`, `1999`, `70000`, `16777217`, `3000000000`,
		`9007199254740993`, `9223372036854775807`, `9223372036854775808`, `18446744073709551616`, `1e20`, `5e-324`, `1e400`, `1e-400`,
		`12345678901234567890123456789012345678`, `1.1234567890123456789`, `-0.5`,
		`""`, `"42"`, `"042"`, `"42abc"`, `" 42"`, `"+42"`, `"1.0"`, `"1.50"`, `"1e3"`, `"0x1F"`, `"nan"`, `"true"`, `"yes"`, `"Ada"`, `"ada"`, `"a "`, `"a,b"`, `"b,a"`, `"Łódź"`, `"€"`, `"😀"`,
		`"{\"a\":1}"`, `"AQID"`, `"AQI"`, `"101"`,
		`"2024-02-29"`, `"2023-02-29"`, `"0000-00-00"`, `"10000-01-01"`, `"infinity"`, `"12:30:45"`, `"12:30:45.123"`, `"24:00:00"`, `"12:30:45+01:00"`,
		`"2024-01-02T03:04:05"`, `"2024-01-02 03:04:05"`, `"2024-01-02T03:04:05Z"`, `"2024-01-02T03:04:05+05:30"`, `"2024-01-02T03:04:05.123Z"`,
		`"2024-01-02T03:04:05.123456789Z"`, `"2050-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"2024-03-31T02:30:00+01:00"`,
		`"f47ac10b-58cc-4372-a567-0e02b2c3d479"`, `"F47AC10B-58CC-4372-A567-0E02B2C3D479"`, `"192.0.2.1"`, `"192.0.2.0/24"`, `"192.0.2.1/32"`,
		`{"b":1.0,"a":[1e3,"x"]}`, `{"a":1,"a":2}`, `{"a":"\u0000"}`, `{"a":"\ud800"}`, `[]`, `[1,2]`, `["a",null]`, `[[1]]`,
	} {
		all = append(all, sample{raw, raw})
	}
	return append(all,
		sample{"a string with a NUL", `"a\u0000b"`},
		sample{"half a surrogate pair", `"\ud83d"`},
		sample{"invalid UTF-8", "\"\xff\""},
		sample{"a string of 11 characters", `"` + strings.Repeat("x", 11) + `"`},
		sample{"a string of 300 characters", `"` + strings.Repeat("x", 300) + `"`},
		sample{"JSON nested 40 deep", strings.Repeat("[", 40) + strings.Repeat("]", 40)},
	)
}

// typeCase is a column type, and how its values compare to JSON's.
type typeCase struct {
	column string
	like   likeness
}

// typed is a database and the column types that people use on it.
type typed struct {
	name    string
	dialect database.Dialect
	// session is added to the DSN of who writes.
	session string
	setup   []string
	types   []typeCase
}

// Sessions are set as they should not be: in a time zone of their own, and on
// MariaDB once without a strict mode, and then with snapshot isolation.
func typedDatabases() []typed {
	const zone = "&time_zone=%27%2B05%3A00%27"
	return []typed{
		{"PostgreSQL", database.Postgres, " timezone=Asia/Tokyo", []string{
			"CREATE TYPE mood AS ENUM ('Ada', 'a,b')", "CREATE DOMAIN price AS numeric(6,2) CHECK (VALUE > -1000)", "CREATE DOMAIN deal AS price",
		}, postgresTypes()},
		{"MariaDB", database.MariaDB, zone + "&sql_mode=%27STRICT_TRANS_TABLES%27", nil, mariadbTypes()},
		{"MariaDB without strict mode", database.MariaDB, zone + "&sql_mode=%27%27&innodb_snapshot_isolation=ON", nil, mariadbTypes()},
		{"SQLite", database.SQLite, "", nil, sqliteTypes()},
	}
}

func postgresTypes() []typeCase {
	return []typeCase{
		{"text", likeText},
		{"varchar(10)", likeText},
		{"char(10)", likePadded},
		{"smallint", likeNumber},
		{"integer", likeNumber},
		{"bigint", likeNumber},
		{"numeric", likeNumber},
		{"numeric(10,2)", likeNumber},
		{"numeric(3,-2)", likeNumber},
		{"real", likeFloat},
		{"double precision", likeFloat},
		{"boolean", likeBool},
		{"bytea", likeBytes},
		{"date", likeText},
		{"time", likeClock},
		{"time(0)", likeClock},
		{"time with time zone", likeClock},
		{"timestamp", likeMoment},
		{"timestamp(0)", likeMoment},
		{"timestamp with time zone", likeMoment},
		{"uuid", likeText},
		{"json", likeJSON},
		{"jsonb", likeJSON},
		{"mood", likeText},
		{"deal", likeNumber},
		{"inet", likeText},
		{"cidr", likeText},
		{"bit(3)", likeText},
		{"bit varying(5)", likeText},
		{"text[]", likeTexts},
		{"integer[]", likeJSON},
		{"timestamp[]", likeJSON},
		{"interval", likeText},
		{"money", likeText},
		{"xml", likeText},
		{"tsvector", likeText},
		{"int4range", likeText},
		{"point", likeText},
	}
}

func mariadbTypes() []typeCase {
	return []typeCase{
		{"varchar(10)", likeText},
		{"varchar(10) CHARACTER SET utf8mb3", likeText},
		{"varchar(10) CHARACTER SET latin1", likeText},
		{"varchar(10) CHARACTER SET ascii", likeText},
		{"varchar(10) CHARACTER SET ucs2", likeText},
		{"char(10)", likePadded},
		{"tinytext", likeText},
		{"text", likeText},
		{"longtext", likeText},
		{"tinyint(1)", likeNumber},
		{"tinyint", likeNumber},
		{"smallint", likeNumber},
		{"mediumint", likeNumber},
		{"int", likeNumber},
		{"int unsigned", likeNumber},
		{"bigint", likeNumber},
		{"bigint unsigned", likeNumber},
		{"decimal(10,2)", likeNumber},
		{"decimal(10,2) unsigned", likeNumber},
		{"decimal(38,0)", likeNumber},
		{"float", likeFloat},
		{"float(7,2)", likeFloat},
		{"double", likeFloat},
		{"bit(1)", likeNumber},
		{"bit(5)", likeNumber},
		{"year", likeNumber},
		{"date", likeText},
		{"time", likeClock},
		{"time(3)", likeClock},
		{"datetime", likeMoment},
		{"datetime(6)", likeMoment},
		{"timestamp", likeMoment},
		{"binary(3)", likeBytes},
		{"varbinary(10)", likeBytes},
		{"blob", likeBytes},
		{"uuid", likeText},
		{"json", likeJSON},
		{"enum('Ada','','b''s')", likeText},
		{"set('a','b')", likeText},
		{"inet6", likeText},
		{"point", likeText},
	}
}

func sqliteTypes() []typeCase {
	return []typeCase{
		{"TEXT", likeText},
		{"varchar(10)", likeText},
		{"INTEGER", likeAny},
		{"REAL", likeAny},
		{"NUMERIC", likeAny},
		{"decimal(10,2)", likeAny},
		{"boolean", likeAny},
		{"datetime", likeAny},
		{"uuid", likeAny},
		{"JSON", likeSQLiteJSON},
		{"BLOB", likeBytes},
		{"", likeAny},
		{"INTEGER, STRICT", likeAny},
		{"REAL, STRICT", likeAny},
		{"TEXT, STRICT", likeText},
		{"BLOB, STRICT", likeBytes},
		{"ANY, STRICT", likeAny},
	}
}

// cell is what became of a sample in a column.
type cell struct {
	// stored is what was read back; refused says why it was not stored.
	stored  string
	refused string
}

// open opens the database for who writes, and for who reads in UTC.
func (d typed) open(t testing.TB) (write, read *sql.DB) {
	t.Helper()
	dsn := dialects[d.dialect].dsn(t)
	for n, session := range []string{d.session, strings.Replace(strings.Replace(d.session, "Asia/Tokyo", "UTC", 1), "%2B05", "%2B00", 1)} {
		db, err := sql.Open(dialects[d.dialect].driver, dsn+session)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if n == 0 {
			write = db
		} else {
			read = db
		}
	}
	for _, statement := range d.setup {
		create(t, write, statement)
	}
	return write, read
}

// create makes the tables, with a column for each type. STRICT columns are in a
// table of their own.
func (d typed) create(t testing.TB, db *sql.DB) {
	t.Helper()
	columns := map[string][]string{}
	for n, c := range d.types {
		column, strict, _ := strings.Cut(c.column, ", ")
		if d.dialect == database.MariaDB && column == "timestamp" {
			column += " NULL DEFAULT NULL"
		}
		columns[strict] = append(columns[strict], fmt.Sprintf("v%d %s", n, column))
	}
	for strict, list := range columns {
		create(t, db, fmt.Sprintf("CREATE TABLE t%s (id integer PRIMARY KEY, %s) %s", strict, strings.Join(list, ", "), strict))
	}
}

// table is the name of the table that has the n-th column, and the column's.
func (d typed) table(n int) (table, column string) {
	_, strict, _ := strings.Cut(d.types[n].column, ", ")
	return "t" + strict, fmt.Sprintf("v%d", n)
}

// replica takes the payload's member "v" into the n-th column.
func (d typed) replica(t testing.TB, n int) *inbox.Table {
	t.Helper()
	table, column := d.table(n)
	replica, err := inboxOn(t, d.dialect).NewTable(inbox.TableConfig{Table: table, Columns: []inbox.Column{{Name: column, Path: "v"}}})
	if err != nil {
		t.Fatal(err)
	}
	return replica
}

// cells stores every sample in every column, a row for each sample.
func (d typed) cells(t *testing.T) [][]cell {
	t.Helper()
	write, read := d.open(t)
	d.create(t, write)
	cells := make([][]cell, len(d.types))
	for n := range d.types {
		cells[n] = d.store(t, write, n)
		stored := d.read(t, read, n)
		for id := range nulls {
			if stored[id].Valid {
				t.Errorf("%s: null, or nothing, became %q", d.types[n].column, stored[id].String)
			}
		}
		for at := range cells[n] {
			if cells[n][at].refused == "" {
				cells[n][at].stored = stored[len(nulls)+at].String
			}
		}
	}
	return cells
}

// nulls are payloads that leave a column NULL. They have the first keys.
var nulls = []string{`{"v":null}`, `{}`}

// store puts each sample into a row, and says which were refused.
func (d typed) store(t *testing.T, db *sql.DB, n int) []cell {
	t.Helper()
	replica, c := d.replica(t, n), d.types[n]
	_, column := d.table(n)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	apply := func(key int, payload string) error {
		d := &replhub.Delivery{Entity: "user", Op: replhub.Create, Key: strconv.Itoa(key), Data: []byte(payload)}
		return replica.Apply(t.Context(), tx, d)
	}
	for key, payload := range nulls {
		if err := apply(key, payload); err != nil {
			t.Fatalf("%s: %s: %v", c.column, payload, err)
		}
	}
	all := samples()
	cells := make([]cell, len(all))
	for at, s := range all {
		key := len(nulls) + at
		var refused *inbox.ValueError
		switch err := apply(key, `{"v":`+s.raw+`}`); {
		case errors.As(err, &refused):
			cells[at].refused = refused.Reason
			for _, part := range []string{"user", fmt.Sprintf("%q", strconv.Itoa(key)), fmt.Sprintf("%q", column), refused.Type} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %s: the error does not name %s: %v", c.column, s.label, part, err)
				}
			}
		case err != nil:
			t.Fatalf("%s: %s: the database refused what should have been: %v", c.column, s.label, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return cells
}

// read reads the n-th column back, by key.
func (d typed) read(t *testing.T, db *sql.DB, n int) map[int]sql.NullString {
	t.Helper()
	table, column := d.table(n)
	rows, err := db.QueryContext(t.Context(), fmt.Sprintf("SELECT id, %s FROM %s", strings.ReplaceAll(d.asText(n), "$", column), table))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	stored := map[int]sql.NullString{}
	for rows.Next() {
		var id int
		var text sql.NullString
		if err := rows.Scan(&id, &text); err != nil {
			t.Fatal(err)
		}
		if digits, ok := strings.CutPrefix(text.String, "real "); ok {
			f, err := strconv.ParseFloat(digits, 64)
			if err != nil {
				t.Fatal(err)
			}
			text.String = strconv.FormatFloat(f, 'g', -1, 64)
		}
		stored[id] = text
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return stored
}

// asText is the n-th column as text in SQL, with $ for its name.
func (d typed) asText(n int) string {
	c := d.types[n]
	switch {
	case d.dialect == database.Postgres && strings.HasSuffix(c.column, "[]"):
		return "array_to_json($)::text"
	case d.dialect == database.Postgres:
		return "CASE WHEN $ IS NOT NULL THEN format('%s', $) END"
	case d.dialect == database.SQLite:
		return "CASE typeof($) WHEN 'blob' THEN hex($) WHEN 'real' THEN 'real ' || printf('%!.17g', $) ELSE CAST($ AS text) END"
	case c.like == likeBytes:
		return "hex($)"
	case c.column == "point":
		return "ST_AsText($)"
	case strings.HasPrefix(c.column, "bit"):
		return "$ + 0"
	default:
		return "CAST($ AS char)"
	}
}

// Every JSON value in every column type is stored as itself, by a rule that loses
// nothing, or refused; TYPES.md says which, and is made of what is found here.
func TestTypes(t *testing.T) {
	var document strings.Builder
	document.WriteString(typesIntroduction)
	writeSamples(&document)
	var strict [][]cell
	for _, d := range typedDatabases() {
		cells := d.cells(t)
		for n, c := range d.types {
			for s, sample := range samples() {
				if cells[n][s].refused != "" {
					continue
				}
				if err := c.like.check(sample.raw, cells[n][s].stored); err != nil {
					t.Errorf("%s, %s: %s became %q: %v", d.name, c.column, sample.label, cells[n][s].stored, err)
				}
			}
		}
		switch {
		case d.name == "MariaDB":
			strict = cells
		case d.dialect == database.MariaDB:
			if diff := different(d.types, strict, cells); diff != "" {
				t.Errorf("without a strict mode: %s", diff)
			}
			continue
		}
		writeTypes(&document, d, cells)
	}
	golden(t, "TYPES.md", document.String())
}

func different(types []typeCase, a, b [][]cell) string {
	for n := range a {
		for s, sample := range samples() {
			if a[n][s] != b[n][s] {
				return fmt.Sprintf("%s: %s: %+v and %+v", types[n].column, sample.label, a[n][s], b[n][s])
			}
		}
	}
	return ""
}

func isString(raw string) (string, bool) {
	var s string
	err := json.Unmarshal([]byte(raw), &s)
	return s, err == nil && raw[0] == '"'
}
