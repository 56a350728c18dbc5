package inbox_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// named is a change of a user to a name.
func named(key, name string, seq uint64) *replhub.Delivery {
	d := user(replhub.Update, key, seq)
	d.Data = fmt.Appendf(nil, `{"name":%q}`, name)
	return d
}

// A unique index that the table gets between two batches holds from the next one on: no
// row is written over because it has a value of another key's new row, whether that row
// was there before or is of the same batch, and values change hands.
func TestIndexAddedBetweenBatches(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		for name, c := range map[string]struct {
			batch []*replhub.Delivery
			want  map[string]string // empty where the batch must fail
		}{
			"of a row that is there": {batch: []*replhub.Delivery{named("b", "one", 10), named("x", "else", 11)}},
			"of a row of the batch":  {batch: []*replhub.Delivery{named("b", "new", 10), named("c", "new", 11)}},
			"of the row itself": {
				batch: []*replhub.Delivery{named("a", "one", 10), named("b", "three", 11)},
				want:  map[string]string{"a": "one", "b": "three", "x": "two"},
			},
			"that changes hands": {
				batch: []*replhub.Delivery{named("a", "two", 10), named("x", "one", 11), named("b", "three", 12)},
				want:  map[string]string{"a": "two", "x": "one", "b": "three"},
			},
		} {
			t.Run(name, func(t *testing.T) {
				r := newReplica(t, inbox.Config{Dialect: dialect})
				before := []*replhub.Delivery{named("a", "one", 1), named("x", "two", 2)}
				if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, before, r.users); err != nil {
					t.Fatal(err)
				}
				r.exec(t, "CREATE UNIQUE INDEX one_name ON users (name)")
				want := c.want
				if want == nil {
					want = r.rows(t)
				}
				_, err := r.inbox.ReplicateBatch(t.Context(), r.DB, c.batch, r.users)
				if c.want == nil && !database.IsUnique(err) || c.want != nil && err != nil {
					t.Errorf("the batch: %v", err)
				}
				if have := r.rows(t); !maps.Equal(have, want) {
					t.Errorf("there is %v, want %v", have, want)
				}
			})
		}
	})
}

// A unique index of a key's first characters has rows of different keys meet.
func TestKeysThatMeetInAnIndex(t *testing.T) {
	on(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		r.exec(t, "CREATE UNIQUE INDEX one_start ON users (id(3))")
		if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{named("abc-1", "one", 1), named("x", "two", 2)}, r.users); err != nil {
			t.Fatal(err)
		}
		_, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{named("abc-2", "three", 3), named("x", "four", 4)}, r.users)
		if !database.IsUnique(err) {
			t.Errorf("the batch: %v", err)
		}
		if have, want := r.rows(t), map[string]string{"abc-1": "one", "x": "two"}; !maps.Equal(have, want) {
			t.Errorf("there is %v, want %v", have, want)
		}
	}, database.MariaDB)
}

// The same for values that a statement has as arguments instead of in its text.
func TestIndexAddedForArguments(t *testing.T) {
	on(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		table, err := r.inbox.NewTable(inbox.TableConfig{Table: "users", Columns: []inbox.Column{
			{Name: "name", Convert: func(value any) (any, error) { return fmt.Append(nil, value), nil }},
		}})
		if err != nil {
			t.Fatal(err)
		}
		apply := func(batch ...*replhub.Delivery) error {
			_, err := r.inbox.ReplicateBatch(t.Context(), r.DB, batch, table)
			return err
		}
		if err := errors.Join(apply(named("a", "one", 1), named("x", "two", 2)), apply(named("a", "two", 3), named("x", "one", 4))); err != nil {
			t.Fatal(err)
		}
		r.exec(t, "CREATE UNIQUE INDEX one_name ON users (name)")
		if err := apply(named("b", "one", 5), named("a", "else", 6)); !database.IsUnique(err) {
			t.Errorf("the batch: %v", err)
		}
		if have, want := r.rows(t), map[string]string{"a": "two", "x": "one"}; !maps.Equal(have, want) {
			t.Errorf("there is %v, want %v", have, want)
		}
	}, database.MariaDB)
}

// What a table of SQLite says should become of a row that breaks a constraint does not
// hold for the inbox: it would delete another row, or leave the new one out, in silence.
func TestConstraintsThatSayWhatBecomesOfARow(t *testing.T) {
	for _, clause := range []string{"REPLACE", "IGNORE", "FAIL", "ROLLBACK"} {
		t.Run(clause, func(t *testing.T) {
			r := newReplica(t, inbox.Config{Dialect: database.SQLite})
			r.exec(t, "DROP TABLE users")
			r.exec(t, "CREATE TABLE users (id varchar(64) PRIMARY KEY ON CONFLICT "+clause+", name varchar(64) UNIQUE ON CONFLICT "+clause+
				", CONSTRAINT good CHECK (name <> 'bad') ON CONFLICT "+clause+")")
			want := map[string]string{"a": "one", "x": "two"}
			if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{named("a", "one", 1), named("x", "two", 2)}, r.users); err != nil {
				t.Fatal(err)
			}
			for n, batch := range [][]*replhub.Delivery{
				{named("b", "one", 3)},
				{named("b", "one", 4), named("c", "three", 5)},
				{named("a", "two", 6)},
				{named("b", "bad", 7)},
				{named("b", "bad", 8), named("c", "three", 9)},
			} {
				if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, batch, r.users); err == nil {
					t.Errorf("batch %d was taken", n)
				}
				if have := r.rows(t); !maps.Equal(have, want) {
					t.Fatalf("after batch %d there is %v, want %v", n, have, want)
				}
			}
			if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{named("a", "two", 10), named("x", "one", 11)}, r.users); err != nil {
				t.Fatal(err)
			}
			if have := r.rows(t); !maps.Equal(have, map[string]string{"a": "two", "x": "one"}) {
				t.Errorf("after a swap there is %v", have)
			}
		})
	}
}

// The statements of a table's triggers keep their own word on that.
func TestTriggersOfATable(t *testing.T) {
	r := newReplica(t, inbox.Config{Dialect: database.SQLite})
	r.exec(t, "CREATE TABLE seen (name text PRIMARY KEY)")
	r.exec(t, "CREATE TRIGGER see AFTER INSERT ON users BEGIN INSERT OR IGNORE INTO seen VALUES (new.name); END")
	for n, batch := range [][]*replhub.Delivery{
		{named("a", "one", 1)}, {named("b", "one", 2)}, {named("c", "one", 3), named("d", "one", 4)},
	} {
		if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, batch, r.users); err != nil {
			t.Errorf("batch %d: %v", n, err)
		}
	}
	if n := r.count(t, "SELECT COUNT(*) FROM users") - r.count(t, "SELECT COUNT(*) FROM seen"); n != 3 {
		t.Errorf("%d rows more than names, want 3", n)
	}
}
