package inbox_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// uniqueKind is a table whose rows have a unique value v beside a group g.
type uniqueKind struct {
	name string
	only []database.Dialect // none is all
	// create has the columns behind id; indexes are statements that follow.
	columns string
	indexes []string
	value   func(n int) any // of v
}

func word(n int) any   { return fmt.Sprintf("w%d", n) }
func number(n int) any { return n }

var uniqueKinds = []uniqueKind{
	{name: "a column that may be NULL", columns: "g int, v varchar(30) UNIQUE", value: word},
	{name: "not NULL", columns: "g int NOT NULL, v varchar(30) NOT NULL UNIQUE, own varchar(9) DEFAULT 'mine'", value: word},
	{name: "two columns, a check", columns: "g int NOT NULL, v int NOT NULL CHECK (v >= 0), UNIQUE (g, v)", value: number},
	{
		name: "short text", columns: "g int NOT NULL, v varchar(3) NOT NULL UNIQUE", value: word,
	},
	{
		name: "an expression", only: []database.Dialect{database.Postgres, database.SQLite}, columns: "g int NOT NULL, v varchar(30) NOT NULL",
		indexes: []string{"CREATE UNIQUE INDEX once_things ON things (lower(v))"}, value: word,
	},
	{
		name: "a part of the rows", only: []database.Dialect{database.Postgres, database.SQLite}, columns: "g int NOT NULL, v varchar(30) NOT NULL",
		indexes: []string{"CREATE UNIQUE INDEX once_things ON things (v) WHERE g > 0"}, value: word,
	},
	{
		name: "NULLs are alike", only: []database.Dialect{database.Postgres}, columns: "g int, v varchar(30), UNIQUE NULLS NOT DISTINCT (g, v)", value: word,
	},
	{
		name: "a UUID", only: []database.Dialect{database.Postgres, database.MariaDB}, columns: "g int NOT NULL, v uuid NOT NULL UNIQUE",
		value: func(n int) any { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) },
	},
	{
		name: "deferred", only: []database.Dialect{database.Postgres}, columns: "g int NOT NULL, v varchar(30) NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED",
		value: word,
	},
	{
		name: "the beginning of a column", only: []database.Dialect{database.MariaDB}, columns: "g int NOT NULL, v text NOT NULL, UNIQUE (v(10))",
		value: word,
	},
	{
		name: "a generated column", columns: "g int NOT NULL, v varchar(30) NOT NULL, low varchar(40) GENERATED ALWAYS AS (lower(v)) STORED UNIQUE",
		value: word,
	},
	{
		name: "a generated column of two", columns: "g int NOT NULL, v int NOT NULL, low int GENERATED ALWAYS AS (g * 1000 + v) STORED, UNIQUE (low)",
		value: number,
	},
	{
		name: "of others that need it", columns: "g int NOT NULL, v varchar(30) NOT NULL UNIQUE",
		indexes: []string{
			"CREATE TABLE parts (id int PRIMARY KEY, thing varchar(20) NOT NULL, FOREIGN KEY (thing) REFERENCES things (id) ON DELETE CASCADE)",
			"INSERT INTO things (id, g, v) VALUES ('1', 1, 'w1')", "INSERT INTO parts VALUES (1, '1')",
		},
		value: word,
	},
}

// things is a replica of such a table; each call of it is as by a process of its own.
type things struct {
	*sql.DB
	t       *testing.T
	kind    uniqueKind
	table   string
	dialect database.Dialect
	seq     uint64
}

func onUniques(t *testing.T, test func(t *testing.T, r *things)) {
	onFew(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		if dialect == database.SQLite {
			db.SetMaxOpenConns(1)
			create(t, db, "PRAGMA foreign_keys = ON")
		}
		for n, kind := range uniqueKinds {
			if len(kind.only) > 0 && !slices.Contains(kind.only, dialect) {
				continue
			}
			t.Run(kind.name, func(t *testing.T) {
				// Another name for each: sessions keep statements of a table, as it was.
				r := &things{DB: db, t: t, kind: kind, table: fmt.Sprintf("things%d", n), dialect: dialect, seq: 10}
				for _, table := range []string{"replhub_inbox", "replhub_inbox_waiting"} {
					create(t, db, "DROP TABLE IF EXISTS "+table)
				}
				for _, statement := range append([]string{"CREATE TABLE things (id varchar(20) PRIMARY KEY, " + kind.columns + ")"}, kind.indexes...) {
					create(t, db, strings.ReplaceAll(statement, "things", r.table))
				}
				in, _ := r.process()
				if err := in.Migrate(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				test(t, r)
			})
		}
	})
}

// process is an inbox and its table, as another instance has them.
func (r *things) process() (*inbox.Inbox, *inbox.Table) {
	r.t.Helper()
	in, err := inbox.New(inbox.Config{Dialect: r.dialect, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	table, err := in.NewTable(inbox.TableConfig{Table: r.table, Columns: []inbox.Column{{Name: "g"}, {Name: "v"}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return in, table
}

// is the change of a row that gives it the n-th value.
func (r *things) is(key string, n int) *replhub.Delivery {
	data, err := json.Marshal(map[string]any{"g": 1, "v": r.kind.value(n)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.seq++
	return &replhub.Delivery{Entity: "thing", Op: replhub.Update, Key: key, Data: data, Position: replhub.Position{Epoch: 1, Seq: r.seq}}
}

// state is the n-th value of each key.
func (r *things) state(values ...int) (deliveries []*replhub.Delivery, want map[string]string) {
	want = map[string]string{}
	for n, value := range values {
		key := fmt.Sprint(n + 1)
		deliveries = append(deliveries, r.is(key, value))
		want[key] = fmt.Sprint(r.kind.value(value))
	}
	return deliveries, want
}

func (r *things) rows() map[string]string {
	r.t.Helper()
	rows, err := r.QueryContext(r.t.Context(), "SELECT id, v FROM "+r.table+" WHERE v IS NOT NULL")
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	have := map[string]string{}
	for rows.Next() {
		var id, v string
		if err := rows.Scan(&id, &v); err != nil {
			r.t.Fatal(err)
		}
		have[id] = v
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return have
}

func (r *things) check(want map[string]string) {
	r.t.Helper()
	if have := r.rows(); !maps.Equal(have, want) {
		r.t.Errorf("have %v, want %v", have, want)
	}
	var left int
	if err := r.QueryRowContext(r.t.Context(), "SELECT count(*) FROM replhub_inbox_waiting").Scan(&left); err != nil || left > 0 {
		r.t.Errorf("%d deliveries still count as waiting, %v", left, err)
	}
}

// oneByOne applies each by itself, in a process of its own, and tries again what has
// to wait, as a subscriber does.
func (r *things) oneByOne(deliveries []*replhub.Delivery) {
	r.t.Helper()
	type turn struct {
		*replhub.Delivery

		in    *inbox.Inbox
		table *inbox.Table
	}
	var left []turn
	for _, d := range deliveries {
		in, table := r.process()
		left = append(left, turn{d, in, table})
	}
	for round := 0; len(left) > 0; round++ {
		if round == 4 {
			r.t.Fatalf("%d deliveries did not get there, rows are %v", len(left), r.rows())
		}
		left = slices.DeleteFunc(left, func(one turn) bool {
			_, err := one.in.Replicate(r.t.Context(), r.DB, one.Delivery, one.table)
			if err != nil && database.Classify(err) != database.Waits {
				r.t.Fatal(err)
			}
			return err == nil
		})
	}
}

func (r *things) together(deliveries []*replhub.Delivery) {
	r.t.Helper()
	in, table := r.process()
	if _, err := in.ReplicateBatch(r.t.Context(), r.DB, deliveries, table); err != nil {
		r.t.Fatal(err)
	}
}

// Unique values that change hands get there when only the final states arrive: one
// by one in different processes, or together.
func TestUniqueValuesChangeHands(t *testing.T) {
	onUniques(t, func(t *testing.T, r *things) {
		for _, way := range []struct {
			name  string
			apply func([]*replhub.Delivery)
		}{{"one by one", r.oneByOne}, {"together", r.together}} {
			for _, c := range []struct {
				name   string
				values []int
			}{
				{"a swap", []int{2, 1, 3, 4}},
				{"a rotation", []int{2, 3, 1, 4}},
				{"a chain", []int{2, 3, 4, 5}},
				{"the chain back", []int{1, 2, 3, 4}},
			} {
				first, _ := r.state(1, 2, 3, 4)
				r.together(first)
				last, want := r.state(c.values...)
				way.apply(last)
				r.check(want)
				if t.Failed() {
					t.Fatalf("%s, %s", way.name, c.name)
				}
			}
		}
		if r.kind.name == "of others that need it" {
			var n int
			if err := r.QueryRowContext(t.Context(), "SELECT count(*) FROM parts").Scan(&n); err != nil || n != 1 {
				t.Errorf("%d parts, %v", n, err)
			}
		}
	})
}

// A row is never changed for the sake of another's event alone: where its own change
// does not come, the event waits, and says for what.
func TestUniqueValueOfAnotherRow(t *testing.T) {
	onUniques(t, func(t *testing.T, r *things) {
		first, want := r.state(1, 2)
		r.together(first)
		in, table := r.process()
		for range 2 {
			_, err := in.Replicate(t.Context(), r.DB, r.is("3", 2), table)
			if !database.IsUnique(err) || database.Classify(err) != database.Waits {
				t.Fatal(err)
			}
			for _, part := range []string{"things", `entity thing`, `key "3"`, `row "2"`} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s is not in: %v", part, err)
				}
			}
		}
		if have := r.rows(); !maps.Equal(have, want) {
			t.Errorf("have %v, want %v", have, want)
		}
		if s := in.Stats(); s.WaitedForUnique != 2 || s.WaitedForRow != 0 {
			t.Errorf("%d deliveries waited for a unique value, %d for a row", s.WaitedForUnique, s.WaitedForRow)
		}
		// Its change comes, and is no conflict: the event goes through at its next try.
		if _, err := in.Replicate(t.Context(), r.DB, r.is("2", 5), table); err != nil {
			t.Fatal(err)
		}
		d := r.is("3", 2)
		if _, err := in.Replicate(t.Context(), r.DB, d, table); err != nil {
			t.Fatal(err)
		}
		r.check(map[string]string{"1": want["1"], "2": fmt.Sprint(r.kind.value(5)), "3": want["2"]})
	})
}

// What waits and has lost meanwhile changes nothing.
func TestWaitingDeliveryThatIsOld(t *testing.T) {
	onUniques(t, func(t *testing.T, r *things) {
		first, want := r.state(1, 2)
		r.together(first)
		in, table := r.process()
		old := r.is("1", 2)
		if _, err := in.Replicate(t.Context(), r.DB, old, table); !database.IsUnique(err) {
			t.Fatal(err)
		}
		r.together([]*replhub.Delivery{r.is("1", 1)}) // a newer one, elsewhere
		if _, err := in.Replicate(t.Context(), r.DB, r.is("2", 1), table); !database.IsUnique(err) {
			t.Fatal(err)
		}
		if have := r.rows(); !maps.Equal(have, want) {
			t.Errorf("have %v, want %v", have, want)
		}
		// One that comes late where a newer one of its row waits is passed over.
		late := r.is("3", 2)
		if _, err := in.Replicate(t.Context(), r.DB, r.is("3", 1), table); !database.IsUnique(err) {
			t.Fatal(err)
		}
		if outcome, err := in.Replicate(t.Context(), r.DB, late, table); err != nil || outcome != inbox.Stale {
			t.Errorf("%v, %v", outcome, err)
		}
		if outcome, err := in.Replicate(t.Context(), r.DB, old, table); err != nil || outcome != inbox.Stale {
			t.Errorf("%v, %v", outcome, err)
		}
	})
}

// An inbox whose second table was not made says so.
func TestWithoutTheTableOfWhatWaits(t *testing.T) {
	onUniques(t, func(t *testing.T, r *things) {
		if r.kind.name != uniqueKinds[0].name {
			return
		}
		first, _ := r.state(1, 2)
		r.together(first)
		create(t, r.DB, "DROP TABLE replhub_inbox_waiting")
		in, table := r.process()
		_, err := in.Replicate(t.Context(), r.DB, r.is("3", 2), table)
		if database.Classify(err) != database.Waits || !strings.Contains(err.Error(), "Migrate") {
			t.Error(err)
		}
	})
}
