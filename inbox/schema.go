package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/replhub/replhub/database"
)

// Schema returns the statements that create the inbox's table, and a second one with
// the suffix "_waiting", if missing. The second table holds deliveries that wait for
// another row to give up a unique value.
func (i *Inbox) Schema() database.Schema { return database.Schema{i.sql.create, i.waiting.create} }

// Migrate runs Schema. It may be called by many instances at once, at every
// start.
func (i *Inbox) Migrate(ctx context.Context, db *sql.DB) error {
	return i.Schema().Migrate(ctx, db, i.cfg.Dialect, i.cfg.Table)
}

// Purge removes deliveries that no longer wait for a unique value (see Schema), and
// the tombstones of deletes that were applied longer than olderThan ago, and returns
// the number of tombstones. A change that is older than its delete and comes after
// the purge brings the row back permanently. So olderThan must exceed the longest
// time that a delivery can be late: how long a lane may be paused or behind, an
// outbox stand still, a dead letter wait for its redrive or workers be rewound; weeks
// rather than hours. Keeping tombstones costs about a hundred bytes each.
func (i *Inbox) Purge(ctx context.Context, db *sql.DB, olderThan time.Duration) (int64, error) {
	res, err := db.ExecContext(ctx, i.sql.purge, toNano(time.Now().Add(-olderThan)))
	if err != nil {
		return 0, fmt.Errorf("inbox: purge: %w", err)
	}
	n, err := res.RowsAffected()
	if err == nil {
		_, err = db.ExecContext(ctx, i.waiting.expire, toNano(time.Now().Add(-waitingLife)))
	}
	if err != nil {
		return n, fmt.Errorf("inbox: purge: %w", err)
	}
	return n, nil
}
