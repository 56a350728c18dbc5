package inbox_test

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// Behind PgBouncer each change is applied once, with transaction pooling as long
// as the driver prepares no statements.
func TestPgBouncer(t *testing.T) {
	for _, c := range []struct{ pooling, mode string }{
		{"session", "cache_statement"},
		{"transaction", "exec"},
		{"transaction", "simple_protocol"},
	} {
		t.Run(c.pooling+"/"+c.mode, func(t *testing.T) {
			db, err := sql.Open("pgx", sqltest.PgBouncer(t, c.pooling)+" default_query_exec_mode="+c.mode)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(3)
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE people (id text PRIMARY KEY, name text, n bigint)"); err != nil {
				t.Fatal(err)
			}
			in, err := inbox.New(inbox.Config{Dialect: database.Postgres})
			if err != nil {
				t.Fatal(err)
			}
			if err := in.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			people, err := in.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}, {Name: "n"}}})
			if err != nil {
				t.Fatal(err)
			}
			const keys, changes = 5, 20
			var all sync.WaitGroup
			for key := range keys {
				all.Go(func() {
					for n := range changes {
						for range 2 { // each comes twice
							if _, err := in.Replicate(t.Context(), db, change(key, n), people); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			all.Wait()
			var rows, last int
			if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*), MIN(n) FROM people").Scan(&rows, &last); err != nil || rows != keys || last != changes-1 {
				t.Errorf("%d rows, the oldest of change %d; %v", rows, last, err)
			}
		})
	}
}

func change(key, n int) *replhub.Delivery {
	id := fmt.Sprint("k", key)
	seq := uint64(n*100 + key + 1)
	return &replhub.Delivery{
		Entity: "user", Op: replhub.Update, Key: id, ID: fmt.Sprint(id, "-", n), Time: time.Unix(int64(seq), 0),
		Position: replhub.Position{Epoch: 1, Seq: seq}, Data: fmt.Appendf(nil, `{"id":%q,"name":"Ada","n":%d}`, id, n),
	}
}
