package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Schema is the statement that makes the inbox's table where it is missing, for
// those who keep their schema in a tool of their own.
func (i *Inbox) Schema() string { return i.sql.create }

// Migrate makes the inbox's table where it is missing. It may be called by many
// instances at once, at every start.
func (i *Inbox) Migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("inbox: migrate: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was promised of a transaction that is given up
	if i.cfg.Dialect == Postgres {
		// Two that create at once would collide in the catalogue.
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext($1))", i.cfg.Table); err != nil {
			return fmt.Errorf("inbox: migrate: lock: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, i.sql.create); err != nil {
		return fmt.Errorf("inbox: migrate: create %s: %w", i.cfg.Table, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("inbox: migrate: commit: %w", err)
	}
	return nil
}

// Purge removes the tombstones of deletes that were applied longer than
// olderThan ago, and returns how many. A change that is older than its delete
// and comes after the purge brings the row back, for good. So olderThan must
// exceed the longest time that a delivery can be late: how long a lane may be
// paused or behind, an outbox stand still, a dead letter wait for its redrive or
// workers be rewound; weeks rather than hours. Keeping tombstones costs about a
// hundred bytes each.
func (i *Inbox) Purge(ctx context.Context, db *sql.DB, olderThan time.Duration) (int64, error) {
	res, err := db.ExecContext(ctx, i.sql.purge, toNano(time.Now().Add(-olderThan)))
	if err != nil {
		return 0, fmt.Errorf("inbox: purge: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("inbox: purge: %w", err)
	}
	return n, nil
}
