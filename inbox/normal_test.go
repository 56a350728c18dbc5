package inbox_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// What a row of an owner and a row of the replica are compared by is equal for each value
// in each type of column, and differs where something else is stored.
func TestNormalFormsOfEachType(t *testing.T) {
	for _, d := range typedDatabases() {
		if d.name == "MariaDB without strict mode" {
			continue // it stores the same, as TestTypes shows
		}
		t.Run(d.name, func(t *testing.T) {
			write, read := d.open(t)
			d.create(t, write)
			for n, c := range d.types {
				d.store(t, write, n)
				of, stored, err := d.replica(t, n).Normals(t.Context(), write, nil)
				if err != nil {
					t.Fatalf("%s: %v", c.column, err)
				}
				texts := d.read(t, read, n)
				seen := map[string]int{}
				for at, s := range samples() {
					id := len(nulls) + at
					have, ok := stored[strconv.Itoa(id)]
					if !ok || !texts[id].Valid && s.raw != "null" {
						continue // it was refused
					}
					if want := of(`{"v":` + s.raw + `}`); !slices.Equal(have, want) {
						t.Errorf("%s: %s: %q at the owner, %q in the replica", c.column, s.label, want, have)
					}
					if len(have) == 0 {
						continue
					}
					if before, ok := seen[have[0]]; ok && texts[before].String != texts[id].String && !c.like.byValue() {
						t.Errorf("%s: %q and %q have one form, %q", c.column, texts[before].String, texts[id].String, have[0])
					}
					seen[have[0]] = id
				}
				for id, payload := range nulls {
					if have, want := stored[strconv.Itoa(id)], of(payload); !slices.Equal(have, want) {
						t.Errorf("%s: %s: %q at the owner, %q in the replica", c.column, payload, want, have)
					}
				}
			}
		})
	}
}

// byValue says that the column may keep several spellings of one value.
func (l likeness) byValue() bool {
	return l == likeNumber || l == likeFloat || l == likeJSON || l == likeAny || l == likeSQLiteJSON
}

// A row is found by its key in each type of key column, and its key is read back as the
// event has it.
func TestKeysOfRowsInEachType(t *testing.T) {
	const uuid, date, base64 = "f47ac10b-58cc-4372-a567-0e02b2c3d479", "2024-02-29", "AQID"
	types := map[database.Dialect]map[string][]string{
		database.Postgres: {
			"text": {"a", "A", "42", "ł 'x"}, `varchar(20) COLLATE "C"`: {"a", "b"}, "bigint": {"0", "-7", "9223372036854775807"},
			"numeric": {"1.5", "1000", "-0.25"}, "numeric(10,2)": {"1.5", "7", "1000"}, "uuid": {uuid}, "date": {date}, "bytea": {base64},
		},
		database.MariaDB: {
			"varchar(20) COLLATE utf8mb4_nopad_bin": {"a", "A", "ł"}, "bigint": {"-7", "42"}, "bigint unsigned": {"18446744073709551615"}, "uuid": {uuid}, "date": {date}, "varbinary(10)": {base64},
		},
		database.SQLite: {"TEXT": {"a", "A", "42"}, "INTEGER": {"-7", "42"}, "BLOB": {base64}, "NUMERIC": {"42", "a"}, "": {"42", "a"}},
	}
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db, n := open(t, dialect), 0
		for kind, keys := range types[dialect] {
			n++
			name := fmt.Sprintf("k%d", n)
			create(t, db, fmt.Sprintf("CREATE TABLE %s (k %s PRIMARY KEY, v varchar(20))", name, kind))
			table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: name, Key: "k", Columns: []inbox.Column{{Name: "v"}}})
			if err != nil {
				t.Fatal(err)
			}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				if err := table.Apply(t.Context(), tx, &replhub.Delivery{Entity: "user", Op: replhub.Create, Key: key, Data: []byte(`{"v":"x"}`)}); err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			for _, ask := range [][]string{nil, append(slices.Clone(keys), "none", "12345")} {
				_, stored, err := table.Normals(t.Context(), db, ask)
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if got := slices.Sorted(maps.Keys(stored)); !slices.Equal(got, slices.Sorted(slices.Values(keys))) {
					t.Errorf("%s, asked for %q: got %q, want %q", kind, ask, got, keys)
				}
			}
		}
	})
}
