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
// transaction of four, deletes apart. Calls that come while others are under way
// share a transaction, as in ReplicateBatch; after an error of that, each goes on
// alone.
func (i *Inbox) Replicate(ctx context.Context, db *sql.DB, d *replhub.Delivery, t *Table) (Outcome, error) {
	return t.turns.take(ctx, call{inbox: i, table: t, db: db, d: d})
}

// replicateAlone makes one change and no other.
func (i *Inbox) replicateAlone(ctx context.Context, db *sql.DB, d *replhub.Delivery, t *Table) (Outcome, error) {
	// A delete would not see a row that another wrote while it waited for the
	// guard: a statement sees what was there as it began. An upsert does.
	if i.cfg.Dialect != database.Postgres || i.cfg.Policy != nil || d.Op == replhub.Delete {
		return i.inSteps(ctx, db, d, t)
	}
	r, err := i.record(d)
	if err != nil {
		return 0, fmt.Errorf("inbox: %w", err)
	}
	c, err := t.prepare(ctx, db, d)
	if err != nil {
		return i.inSteps(ctx, db, d, t) // which ends in the same error, unless d is old
	}
	outcome, err := i.retrying(ctx, d, func() (Outcome, error) { return i.inOne(ctx, db, r, t, c.row) })
	switch {
	case err != nil:
		t.doubt(err)
		err = fmt.Errorf("table %s: entity %s, key %q: %w", t.cfg.Table, r.entity, shown(r.key), err)
	case outcome == Applied:
		t.tell(c)
	}
	return outcome, err
}

func (i *Inbox) inSteps(ctx context.Context, db *sql.DB, d *replhub.Delivery, t *Table) (Outcome, error) {
	leave, err := i.writers.enter(ctx, i.cfg.Dialect, db)
	if err != nil {
		return 0, err
	}
	defer leave()
	return i.do(ctx, db, d, func(ctx context.Context, tx *sql.Tx) error { return t.Apply(ctx, tx, d) })
}

// inOne writes the inbox's row and, if that was written, t's.
func (i *Inbox) inOne(ctx context.Context, db *sql.DB, r record, t *Table, row []any) (Outcome, error) {
	args := append(r.args(time.Now()), row...)
	res, err := db.ExecContext(ctx, "WITH guard AS ("+i.sql.upsertFor(r)+" RETURNING 1)\n"+t.guarded, args...)
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
	return i.lost(current, r), nil
}
