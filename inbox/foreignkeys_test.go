package inbox_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// A child before its parent, and a parent that goes before its child, have to wait;
// the error says for what.
func TestForeignKeys(t *testing.T) {
	for _, kind := range []struct {
		name, constraint string
		only             []database.Dialect
	}{
		{"at once", "", nil},
		{"at the commit", " DEFERRABLE INITIALLY DEFERRED", []database.Dialect{database.Postgres, database.SQLite}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, dialect database.Dialect) {
				if kind.only != nil && !slices.Contains(kind.only, dialect) {
					return
				}
				testForeignKeys(t, dialect, kind.constraint)
			})
		})
	}
}

func testForeignKeys(t *testing.T, dialect database.Dialect, constraint string) {
	db := open(t, dialect)
	if dialect == database.SQLite {
		db.SetMaxOpenConns(1)
		create(t, db, "PRAGMA foreign_keys = ON")
	}
	create(t, db, "CREATE TABLE owners (id varchar(20) PRIMARY KEY, name varchar(20))")
	create(t, db, "CREATE TABLE pets (id varchar(20) PRIMARY KEY, owner_id varchar(20), CONSTRAINT pets_owner FOREIGN KEY (owner_id) REFERENCES owners (id)"+constraint+")")
	in, err := inbox.New(inbox.Config{Dialect: dialect, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	tables := map[string]*inbox.Table{}
	for entity, column := range map[string]string{"owner": "name", "pet": "owner_id"} {
		if tables[entity], err = in.NewTable(inbox.TableConfig{Table: entity + "s", Columns: []inbox.Column{{Name: column}}}); err != nil {
			t.Fatal(err)
		}
	}
	apply := func(entity string, op replhub.Op, key string, seq uint64, data string) error {
		d := &replhub.Delivery{Entity: entity, Op: op, Key: key, Data: []byte(data), Position: replhub.Position{Epoch: 1, Seq: seq}}
		_, err := in.Replicate(t.Context(), db, d, tables[entity])
		return err
	}
	waits := func(err error, parts ...string) {
		t.Helper()
		if database.Classify(err) != database.Waits || database.IsUnique(err) {
			t.Fatalf("got %v", err)
		}
		constraint := "pets_owner"
		if dialect == database.SQLite {
			constraint = "owner_id"
		}
		for _, part := range append(parts, constraint) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s is not in: %v", part, err)
			}
		}
	}
	for range 2 {
		waits(apply("pet", replhub.Create, "p1", 1, `{"owner_id":"o1"}`), "pets", "pet", "p1")
	}
	if err := apply("owner", replhub.Create, "o1", 2, `{"name":"Ada"}`); err != nil {
		t.Fatal(err)
	}
	if err := apply("pet", replhub.Create, "p1", 1, `{"owner_id":"o1"}`); err != nil {
		t.Fatal(err)
	}
	waits(apply("owner", replhub.Delete, "o1", 4, ``), "owners", "owner", "o1")
	if s := in.Stats(); s.WaitedForRow != 3 || s.WaitedForUnique != 0 {
		t.Errorf("%d deliveries waited for a row, %d for a unique value", s.WaitedForRow, s.WaitedForUnique)
	}
	if err := apply("pet", replhub.Delete, "p1", 3, ``); err != nil {
		t.Fatal(err)
	}
	if err := apply("owner", replhub.Delete, "o1", 4, ``); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"owners", "pets"} {
		var n int
		if err := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT count(*) FROM %s", table)).Scan(&n); err != nil || n > 0 {
			t.Errorf("%d %s, %v", n, table, err)
		}
	}
}
