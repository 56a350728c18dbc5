package inbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// Instances that start together migrate together, and again at each start.
func TestMigrateAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		for range 2 {
			var group errgroup.Group
			for range 8 {
				group.Go(func() error {
					in, err := inbox.New(inbox.Config{Dialect: dialect})
					if err != nil {
						return err
					}
					return in.Migrate(t.Context(), db)
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The table of the first version gets what is missing, with its rows in place, and an
// older instance goes on.
func TestMigrateFromTheFirstTable(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := &replica{DB: open(t, dialect), dialect: dialect, inbox: inboxOn(t, dialect)}
		first, err := os.ReadFile(filepath.Join("testdata", "first", dialect.String()+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		r.exec(t, strings.TrimSuffix(string(first), ";\n"))
		older := "INSERT INTO replhub_inbox (entity, entity_key, epoch, seq, origin, version, event_at, deleted, applied_at) VALUES ('user', %s, 1, 7, 'accounts', 0, 0, FALSE, 0)"
		key := func(text string) string {
			if dialect == database.SQLite {
				return "CAST('" + text + "' AS blob)"
			}
			return "'" + text + "'"
		}
		r.exec(t, fmt.Sprintf(older, key("a")))
		for range 2 {
			if err := r.inbox.Migrate(t.Context(), r.DB); err != nil {
				t.Fatal(err)
			}
		}
		r.exec(t, fmt.Sprintf(older, key("b")))
		if n := r.count(t, "SELECT count(*) FROM replhub_inbox_waiting"); n != 0 {
			t.Errorf("%d deliveries wait", n)
		}
		for _, key := range []string{"a", "b"} {
			if got, err := r.inbox.Do(t.Context(), r.DB, user(replhub.Update, key, 7), nil); err != nil || got != inbox.Duplicate {
				t.Errorf("%s: %v, %v", key, got, err)
			}
		}
	})
}

// A schema of one's own, in PostgreSQL.
func TestSchemaBeforeADot(t *testing.T) {
	db := open(t, database.Postgres)
	create(t, db, "CREATE SCHEMA sync")
	in, err := inbox.New(inbox.Config{Table: "sync.Seen"})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	r := &replica{DB: db, inbox: in}
	if got := r.current(t, "k"); got != (inbox.Stamp{}) {
		t.Errorf("current is %+v", got)
	}
	if n := r.count(t, `SELECT count(*) FROM sync."Seen"`); n != 1 {
		t.Errorf("%d rows", n)
	}
}
