package inbox

import (
	"context"
	"database/sql"

	"github.com/replhub/replhub/database"
)

// Schema returns the statements that create the inbox's table, and a second one with
// the suffix "_waiting", if missing. The second table holds deliveries that wait for
// another row to give up a unique value.
func (i *Inbox) Schema() database.Schema { return database.Schema{i.sql.create, i.waiting.create} }

// Migrate creates missing tables, and adds what this version needs to those that are
// there, see [database.Schema.Migrate]. It may be called by many instances at once, at
// every start.
func (i *Inbox) Migrate(ctx context.Context, db *sql.DB) error {
	return i.Schema().Migrate(ctx, db, i.cfg.Dialect, i.cfg.Table)
}
