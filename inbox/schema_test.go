package inbox_test

import (
	"testing"

	"golang.org/x/sync/errgroup"

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
