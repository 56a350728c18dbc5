package inbox_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// A transaction with a snapshot meets a key that was applied since. It cannot be
// taken for committed, and goes through when it is run again.
func TestAppliedSinceTheSnapshot(t *testing.T) {
	for name, of := range map[string]struct {
		dialect   database.Dialect
		isolation sql.IsolationLevel
	}{
		"postgres":                     {database.Postgres, sql.LevelRepeatableRead},
		"mariadb-" + snapshotIsolation: {database.MariaDB, sql.LevelDefault},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, inbox.Config{Dialect: of.dialect})
			r.mustDo(t, user(replhub.Create, "k", 1), inbox.Applied)
			d := user(replhub.Update, "k", 3)
			meet := map[string]func(tx *sql.Tx) error{
				"Apply": func(tx *sql.Tx) error {
					_, err := r.inbox.Apply(t.Context(), tx, d, func() error { return r.effect(t.Context(), tx, d) })
					return err
				},
				"Current": func(tx *sql.Tx) error {
					_, err := r.inbox.Current(t.Context(), tx, "user", "k")
					return err
				},
			}
			for call, run := range meet {
				runs := 0
				err := database.InTransaction(t.Context(), r.DB, &sql.TxOptions{Isolation: of.isolation}, func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM users").Scan(&n); err != nil {
						return err
					}
					if runs++; runs > 1 {
						return run(tx)
					}
					r.mustDo(t, user(replhub.Update, "k", 2), inbox.Applied)
					err := run(tx)
					if !errors.Is(err, database.ErrConflict) {
						t.Errorf("%s: %v, want a conflict", call, err)
					}
					if err := tx.Commit(); err == nil {
						t.Errorf("%s: Commit succeeds although the transaction was rolled back", call)
					}
					return err
				})
				if err != nil || runs != 2 {
					t.Errorf("%s: %v after %d runs", call, err, runs)
				}
				if got := r.rows(t)["k"]; got != map[string]string{"Apply": "e3", "Current": "e2"}[call] {
					t.Errorf("%s: the user is %q", call, got)
				}
				r.exec(t, "DELETE FROM replhub_inbox")
			}
		})
	}
}
