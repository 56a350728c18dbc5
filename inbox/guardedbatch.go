package inbox

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// guardedBatch is a batch under the default policy on a database that decides by
// itself, as it does for one delivery: the statement that writes the inbox's rows
// has the condition, and nothing is locked or read before. What became of each
// delivery follows from the rows that were passed over.
type guardedBatch struct {
	*batchWrite

	// ofSnapshot says that all deliveries are rows of a snapshot, else none is.
	ofSnapshot bool
	// slots are those with a delivery to apply, each its last, and changes what these
	// do to the table.
	slots   []*slot
	changes []change
	shape   *shape
}

// guarded applies the batch so. It reports false, and has done nothing, where that
// does not fit the batch.
func (w *batchWrite) guarded(ctx context.Context, db *sql.DB) (fits bool, err error) {
	g := guardedBatch{batchWrite: w, ofSnapshot: w.slots[0].records[0].ofSnapshot}
	if !g.guardable() || !g.prepare(ctx, db) {
		return false, nil
	}
	if w.inbox.cfg.Dialect == database.SQLite {
		return g.onSQLite(ctx, db)
	}
	return g.onPostgres(ctx, db)
}

// guardable reports whether the database can decide on each row by one stamp: that
// of its last delivery.
func (g *guardedBatch) guardable() bool {
	if g.inbox.sql.guardMany == "" || g.inbox.cfg.Policy != nil {
		return false
	}
	all := g.batchWrite.slots
	for _, s := range all {
		if s.entity != all[0].entity || s.records[0].ofSnapshot != g.ofSnapshot || !rising(s.records) {
			return false
		}
	}
	return true
}

// rising reports whether, under Newest, the last of a row's records wins wherever
// one before it does, and leaves the same stamp then as without them.
func rising(records []record) bool {
	for n := 1; n < len(records); n++ {
		before, r := records[n-1].stamp, records[n].stamp
		byVersion := before.Version > 0 && before.Version < r.Version
		neither := before.Version == 0 && r.Version == 0
		if records[n].ofSnapshot || records[0].ofSnapshot || before.Origin != r.Origin || before.Position.Compare(r.Position) >= 0 || !byVersion && !neither {
			return false
		}
	}
	return true
}

// prepare collects what each row's last delivery changes. It reports false where
// one is refused, which is nothing to speak of if it is old.
func (g *guardedBatch) prepare(ctx context.Context, db *sql.DB) bool {
	g.slots = g.batchWrite.slots
	g.changes = make([]change, len(g.slots))
	for n, s := range g.slots {
		last := len(s.records) - 1
		s.last, s.stamp = s.places[last], s.records[last].stamp
		g.outcomes[s.last] = Applied
		var err error
		if g.changes[n], err = g.table.prepare(ctx, db, g.batch[s.last]); err != nil {
			return false
		}
	}
	var err error
	g.shape, err = g.table.shapeOf(ctx, db)
	return err == nil
}

// repeated are the slots with several deliveries.
func (g *guardedBatch) repeated() []*slot {
	var some []*slot
	for _, s := range g.slots {
		if len(s.records) > 1 {
			some = append(some, s)
		}
	}
	return some
}

// settleRepeated decides on the rows with several deliveries by what the inbox has of
// each row, since the deliveries before the last may be duplicates.
func (g *guardedBatch) settleRepeated(ctx context.Context, tx database.Tx, some []*slot) error {
	current, err := g.inbox.readRows(ctx, tx, some)
	if err != nil {
		return fmt.Errorf("inbox: read rows: %w", err)
	}
	for _, s := range some {
		s.settle(g.inbox, current[s.rowKey], g.outcomes)
		s.stamp = s.records[len(s.records)-1].stamp // the database sees to the version
	}
	g.keepWinners()
	return nil
}

// keepWinners takes the slots out of which nothing is applied.
func (g *guardedBatch) keepWinners() {
	slots, changes := make([]*slot, 0, len(g.slots)), make([]change, 0, len(g.slots))
	for n, s := range g.slots {
		if s.last >= 0 {
			slots, changes = append(slots, s), append(changes, g.changes[n])
		}
	}
	g.slots, g.changes = slots, changes
}

// readRows returns the stamps of the slots that the inbox knows, without locking
// them. All are of one entity.
func (i *Inbox) readRows(ctx context.Context, tx database.Tx, some []*slot) (map[rowKey]Stamp, error) {
	stamps := make(map[rowKey]Stamp, len(some))
	err := inChunks(i.cfg.Dialect, some, 1, func(part []*slot) error {
		keys := make([]any, len(part))
		for n, s := range part {
			keys[n] = []byte(s.key)
		}
		return i.stampsOf(ctx, tx, i.sql.readKeys, part[0].entity, keys, stamps)
	})
	return stamps, err
}

// rowsAndGone parts the changes into rows to write and rows to delete.
func (g *guardedBatch) rowsAndGone() (rows, gone [][]any) {
	for n, s := range g.slots {
		if g.batch[s.last].Op == replhub.Delete {
			gone = append(gone, g.changes[n].row)
		} else {
			rows = append(rows, g.changes[n].row)
		}
	}
	return rows, gone
}

// guardManyStatement is upsert for many rows; on PostgreSQL those of "v", else the
// lists of values for which its %s stands.
func guardManyStatement(d database.Dialect, table string, ofSnapshot bool) string {
	switch d {
	case database.Postgres:
		return "INSERT INTO " + table + " AS r (" + recordNames + ") SELECT $1::text, " + guardNames + ", $2::bigint FROM v\n" + onNewerStamp(ofSnapshot)
	case database.SQLite:
		return "INSERT INTO " + escaped(table) + " AS r (" + recordNames + ") VALUES %s\n" + onNewerStamp(ofSnapshot)
	default:
		return ""
	}
}
