package outbox

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Look is one look for rows.
func Look(ctx context.Context, r *Relay) error {
	_, err := r.pass(ctx, ctx)
	return err
}

// AtRest is nil while the relay waits for its next look.
func AtRest(r *Relay) error {
	if !r.resting.Load() {
		return errors.New("it is at work")
	}
	return nil
}

// Behind is the id behind which the relay scans a shard's rows. No look may be
// under way.
func Behind(r *Relay, shard int) int64 {
	return r.shards.(*locks).horizons[shard].from()
}

// LookAtAllSoon has the next look that finds nothing look at all rows.
func LookAtAllSoon(r *Relay) { r.shards.(*locks).whole = time.Time{} }

// PlanOfDelete is how PostgreSQL deletes the rows of a batch of a size.
func PlanOfDelete(ctx context.Context, db *sql.DB, o *Outbox, size int) (plan string, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rollback(tx)) }()
	if _, err := tx.ExecContext(ctx, o.sql.planned); err != nil {
		return "", err
	}
	statement, args := o.sql.deleteRows(make([]row, size))
	rows, err := tx.QueryContext(ctx, "EXPLAIN "+statement, args...)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", err
		}
		plan += line + "\n"
	}
	return plan, rows.Err()
}

// Published is how many events the relay has published and deleted. It asks no
// database.
func Published(r *Relay) uint64 { return r.counters.published.Load() }
