package inbox_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// A key in another spelling than the column's own neither changes nor deletes the
// row of the key that it resembles.
func TestKeysOfAnIntegerColumn(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		create(t, r.DB, "CREATE TABLE k (id bigint PRIMARY KEY, v varchar(20))")
		create(t, r.DB, "INSERT INTO k VALUES (42, 'orig'), (0, 'zero'), (9007199254740992, 'big')")
		table, err := r.inbox.NewTable(inbox.TableConfig{Table: "k", Columns: []inbox.Column{{Name: "v"}}})
		if err != nil {
			t.Fatal(err)
		}
		apply := func(op replhub.Op, key string, seq uint64) (inbox.Outcome, error) {
			d := &replhub.Delivery{Entity: "user", Op: op, Key: key, Data: []byte(`{"v":"new"}`), Position: replhub.Position{Epoch: 1, Seq: seq}}
			return r.inbox.Replicate(t.Context(), r.DB, d, table)
		}
		for _, key := range []string{"42abc", "42.0", "4.2e1", "042", "+42", "-0", "00", "0x2a", "nonsense", "4２", "9223372036854775808"} {
			for _, op := range []replhub.Op{replhub.Delete, replhub.Update} {
				var refused *inbox.ValueError
				if outcome, err := apply(op, key, 5); !errors.As(err, &refused) || refused.Column != "id" || refused.Key != key {
					t.Errorf("%s of %q: %v, %v", op, key, outcome, err)
				}
			}
		}
		// 2^53+1 is the same float as the row's.
		if outcome, err := apply(replhub.Delete, "9007199254740993", 6); err != nil || outcome != inbox.Applied {
			t.Errorf("delete of another key: %v, %v", outcome, err)
		}
		if got := line(t, r.DB, "SELECT id, v FROM k ORDER BY id"); got != "0|zero\n42|orig\n9007199254740992|big" {
			t.Errorf("there is %q", got)
		}
		if n := r.count(t, "SELECT count(*) FROM replhub_inbox"); n != 1 {
			t.Errorf("%d rows in the inbox for one key", n)
		}
		for _, op := range []replhub.Op{replhub.Update, replhub.Delete} {
			if outcome, err := apply(op, "42", map[replhub.Op]uint64{replhub.Update: 7, replhub.Delete: 8}[op]); err != nil || outcome != inbox.Applied {
				t.Errorf("%s of 42: %v, %v", op, outcome, err)
			}
		}
		if got := line(t, r.DB, "SELECT id, v FROM k ORDER BY id"); got != "0|zero\n9007199254740992|big" {
			t.Errorf("there is %q", got)
		}
	})
}

// blurred are key columns that take different keys for one. same are two of such.
var blurred = []struct {
	dialect database.Dialect
	setup   string
	column  string
	same    [2]string
}{
	{database.MariaDB, "", "varchar(20) COLLATE utf8mb4_general_ci", [2]string{"ada", "ADA"}},
	{database.MariaDB, "", "varchar(20) COLLATE utf8mb4_unicode_nopad_ci", [2]string{"ada", "ädä"}},
	{database.MariaDB, "", "varchar(20) COLLATE utf8mb4_bin", [2]string{"a", "b"}},
	{database.MariaDB, "", "varchar(20) CHARACTER SET latin1", [2]string{"ada", "ADA"}},
	{database.MariaDB, "", "char(20)", [2]string{"a", "b"}},
	{database.MariaDB, "", "double", [2]string{"1", "2"}},
	{database.MariaDB, "", "decimal(20,0)", [2]string{"9007199254740993", "9007199254740992"}},
	{database.MariaDB, "", "enum('a','b')", [2]string{"a", "b"}},
	{database.MariaDB, "", "timestamp", [2]string{"a", "b"}},
	{database.Postgres, "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)", "text COLLATE blind", [2]string{"ada", "ADA"}},
	{database.Postgres, "CREATE EXTENSION citext", "citext", [2]string{"ada", "ADA"}},
	{database.Postgres, "", "char(20)", [2]string{"a", "b"}},
	{database.Postgres, "", "double precision", [2]string{"1", "2"}},
	{database.Postgres, "", "boolean", [2]string{"t", "true"}},
	{database.Postgres, "", "timestamptz", [2]string{"a", "b"}},
	{database.Postgres, "", "inet", [2]string{"10.0.0.1", "10.0.0.1/32"}},
	{database.SQLite, "", "text COLLATE NOCASE", [2]string{"ada", "ADA"}},
	{database.SQLite, "", "text COLLATE RTRIM", [2]string{"a", "b"}},
	{database.SQLite, "", "real", [2]string{"1", "2"}},
}

// mend is the statement that an error offers.
var mend = regexp.MustCompile(`to correct that: (ALTER|CREATE) .*$`)

// A table that takes different keys for one is refused at its first use, and the
// statement that the error offers mends it.
func TestTableThatCannotTellKeysApart(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		for n, b := range blurred {
			if b.dialect != dialect {
				continue
			}
			if b.setup != "" {
				create(t, db, b.setup)
			}
			name := fmt.Sprintf("k%d", n)
			create(t, db, fmt.Sprintf("CREATE TABLE %s (id %s PRIMARY KEY, v varchar(20))", name, b.column))
			table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: name, Columns: []inbox.Column{{Name: "v"}}})
			if err != nil {
				t.Fatal(err)
			}
			var wrong *inbox.TableError
			err = put(t, db, table, replhub.Delete, b.same[0], "")
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "cannot distinguish all keys") {
				t.Errorf("%s: %v", b.column, err)
				continue
			}
			statement := mend.FindString(err.Error())
			if dialect == database.SQLite {
				if !strings.Contains(err.Error(), "create the table again") {
					t.Errorf("%s: no way out in %v", b.column, err)
				}
				continue // which has no statement for it
			}
			create(t, db, strings.TrimPrefix(statement, "to correct that: "))
			for _, key := range b.same {
				if err := put(t, db, table, replhub.Create, key, `{"v":"x"}`); err != nil {
					t.Errorf("%s: after %s: %v", b.column, statement, err)
				}
			}
			if got := line(t, db, "SELECT count(*) FROM "+name); got != "2" {
				t.Errorf("%s: %s rows of two keys after %s", b.column, got, statement)
			}
		}
	})
}

// distinct are key columns that a table may have.
var distinct = map[database.Dialect][]string{
	database.Postgres: {`text`, "varchar(6)", "smallint", "bigint", "numeric", "numeric(8,2)", "uuid", "date", "bytea"},
	database.MariaDB: {
		"varchar(6) COLLATE utf8mb4_nopad_bin", "varchar(6) CHARACTER SET latin1 COLLATE latin1_nopad_bin", "tinyint", "bigint", "bigint unsigned", "int unsigned", "uuid", "date", "varbinary(8)",
	},
	database.SQLite: {"text", "integer", "bigint", "numeric", "blob", ""},
}

// randomKey is a key that resembles others: the same numbers, dates and words in
// other spellings.
func randomKey(rng *rand.Rand) string {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	switch rng.IntN(8) {
	case 0, 6, 7:
		return pick("", "", "", "", "0", "+", "-") + pick("1", "7", "42", "0", "70000", "9007199254740993", "9007199254740992", "18446744073709551615") + pick("", "", "", "", ".0", ".50", ".5", "e0", "e1", "abc", "0")
	case 1:
		return pick("2024-02-29", "2024-2-29", "20240229", "2024-03-01", "2023-02-29", "0000-00-00", "2024-02-29T00:00:00Z", "infinity")
	case 2:
		return pick("f47ac10b-58cc-4372-a567-0e02b2c3d479", "F47AC10B-58CC-4372-A567-0E02B2C3D479", "{f47ac10b-58cc-4372-a567-0e02b2c3d479}", "f47ac10b58cc4372a5670e02b2c3d479")
	case 3:
		return pick("AQID", "AQI=", "AQ==", "AQ", "AR==", "aqid", `\x010203`)
	default:
		return pick("a", "A", "ä", "a\u0308", "Ä", "ß", "ss", "😀", "€", "\ufffd", "?", "true", "t", "nan", "x") + pick("", "", "b", "bcdefg", "́", "\u00a0b", " b")
	}
}

// Whatever two keys are, a table keeps two rows for them or refuses one.
func TestDifferentKeysAreDifferentRows(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		rng := rand.New(rand.NewPCG(8, uint64(dialect)))
		db := open(t, dialect)
		if dialect == database.MariaDB {
			create(t, db, "SET GLOBAL sql_mode = ''") // for sessions that begin from now on
			t.Cleanup(func() { db.ExecContext(t.Context(), "SET GLOBAL sql_mode = DEFAULT") })
			db.SetMaxIdleConns(0)
		}
		for n, column := range distinct[dialect] {
			name := fmt.Sprintf("k%d", n)
			create(t, db, fmt.Sprintf("CREATE TABLE %s (id %s PRIMARY KEY, v varchar(20))", name, column))
			table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: name, Columns: []inbox.Column{{Name: "v"}}})
			if err != nil {
				t.Fatal(err)
			}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			rows, taken := map[string]bool{}, false
			for range 150 {
				key := randomKey(rng)
				op := replhub.Update
				if rng.IntN(4) == 0 {
					op = replhub.Delete
				}
				var refused *inbox.ValueError
				err := table.Apply(t.Context(), tx, &replhub.Delivery{Entity: "user", Op: op, Key: key, Data: []byte(`{"v":"x"}`)})
				switch {
				case errors.As(err, &refused):
					if rows[key] {
						t.Errorf("%s: key %q was taken before: %v", column, key, err)
					}
				case err != nil:
					t.Fatalf("%s: key %q: %v", column, key, err)
				case op == replhub.Delete:
					delete(rows, key)
				default:
					rows[key], taken = true, true
				}
				var have int
				if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM "+name).Scan(&have); err != nil {
					t.Fatal(err)
				}
				if have != len(rows) {
					t.Fatalf("%s: after %s of %q there are %d rows of the keys %v", column, op, key, have, rows)
				}
			}
			if !taken {
				t.Errorf("%s: no key was taken", column)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The table's row is that of the inbox's key.
func TestTableHasTheInboxsKey(t *testing.T) {
	r := newReplica(t, inbox.Config{Dialect: database.SQLite, Key: func(d *replhub.Delivery) string { return d.ID }})
	d := user(replhub.Create, "", 7)
	if outcome, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users); err != nil || outcome != inbox.Applied {
		t.Fatal(outcome, err)
	}
	if got := line(t, r.DB, "SELECT id, name FROM users"); got != "e7|e7" {
		t.Errorf("there is %q", got)
	}
}
