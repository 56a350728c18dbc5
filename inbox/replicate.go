package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Replicate is Do with t's Apply as the effect: all that a plain replica needs.
// On PostgreSQL, under the default policy, it takes one statement instead of a
// transaction of four, deletes apart.
func (i *Inbox) Replicate(ctx context.Context, db *sql.DB, d *replhub.Delivery, t *Table) (Outcome, error) {
	// A delete would not see a row that another wrote while it waited for the
	// guard: a statement sees what was there as it began. An upsert does.
	if i.cfg.Dialect != database.Postgres || i.cfg.Policy != nil || d.Op == replhub.Delete {
		return i.Do(ctx, db, d, func(ctx context.Context, tx *sql.Tx) error { return t.Apply(ctx, tx, d) })
	}
	r, err := i.record(d)
	if err != nil {
		return 0, fmt.Errorf("inbox: %w", err)
	}
	row, err := t.row(d)
	if err != nil {
		return 0, fmt.Errorf("effect on %s %q: %w", r.entity, r.key, err)
	}
	return i.retrying(ctx, d, func() (Outcome, error) { return i.inOne(ctx, db, r, t, row) })
}

// inOne writes the inbox's row and, if that was written, t's.
func (i *Inbox) inOne(ctx context.Context, db *sql.DB, r record, t *Table, row []any) (Outcome, error) {
	args := append(r.args(time.Now()), row...)
	res, err := db.ExecContext(ctx, "WITH guard AS ("+i.sql.upsert+" RETURNING 1)\n"+t.guarded, args...)
	if err != nil {
		return 0, fmt.Errorf("inbox: write rows: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return Applied, err
	}
	// Without a lock: if a newer change comes between, a duplicate is called stale.
	current, err := readStamp(ctx, db, i.sql.read, r.entity, []byte(r.key))
	if err != nil {
		return 0, fmt.Errorf("inbox: read row: %w", err)
	}
	return lost(current, r.stamp), nil
}
