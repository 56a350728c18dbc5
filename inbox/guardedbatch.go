package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// A batch on PostgreSQL under the default policy takes one statement, as one
// delivery does: the database decides on each row as it writes the inbox's, and
// writes those rows of the table whose inbox rows it has written. Nothing is
// locked before. Deletes are a second statement, which sees what was committed
// while the first one waited for its locks.

// guardColumns are the arrays of the inbox's columns that a guarded batch binds
// behind its entity and its time.
func guardColumns() []string {
	const numbers = "bigint[]"
	return []string{"bytea[]", numbers, numbers, "text[]", numbers, numbers, "boolean[]"}
}

// guardNames are those columns.
const guardNames = "entity_key, " + stampColumns

// guardedMany writes rows of the inbox that are new or win, then the table's rows
// of these, and returns the numbers of those that lost, counted from 1. A shape's
// rows have the key first; the rows of deletes are not written.
func (t *Table) guardedMany(s *shape) string {
	const first = 3 // $1 is the entity, $2 the time
	var arrays, values, names strings.Builder
	n := first
	for _, array := range guardColumns() {
		fmt.Fprintf(&arrays, "$%d::text::%s, ", n, array)
		n++
	}
	for i, column := range append([]boundColumn{s.key}, s.columns...) {
		if i > 0 {
			arrays.WriteString(", ")
			values.WriteString(", ")
		}
		name := "c" + strconv.Itoa(i+1)
		names.WriteString(", " + name)
		arrays.WriteString("$" + strconv.Itoa(n+i) + "::text::text[]")
		values.WriteString("v." + name + "::" + column.castName)
	}
	return "WITH v AS MATERIALIZED (SELECT * FROM unnest(" + arrays.String() + ") WITH ORDINALITY AS v(" + guardNames + names.String() + ", n)),\n" +
		"guard AS (" + t.inbox.sql.guardMany + " RETURNING r.entity_key),\n" +
		"written AS (" + t.into + "SELECT " + values.String() + " FROM v WHERE NOT v.deleted AND (v.entity_key IN (SELECT entity_key FROM guard)) IS TRUE" + t.replace + ")\n" +
		"SELECT v.n FROM v WHERE v.entity_key NOT IN (SELECT entity_key FROM guard)"
}

// guardManyStatement is upsert for the rows of "v".
func guardManyStatement(d database.Dialect, table string) string {
	if d != database.Postgres {
		return ""
	}
	return "INSERT INTO " + table + " AS r (" + recordNames + ") SELECT $1::text, " + guardNames + ", $2::bigint FROM v\n" + onNewerStamp(false)
}

// guarded applies the batch by the statement guardedMany. It reports false, and has
// done nothing, where that does not fit the batch.
func (w *batchWrite) guarded(ctx context.Context, db *sql.DB) (fits bool, err error) {
	if !w.guardable() {
		return false, nil
	}
	if err := w.settleRepeated(ctx, db); err != nil {
		return true, err
	}
	g := guardedBatch{batchWrite: w}
	if fits, err = g.prepare(ctx, db); !fits || err != nil || len(g.slots) == 0 {
		return fits, err
	}
	if err = g.write(ctx, db); err != nil {
		return true, err
	}
	return true, g.explain(ctx, db)
}

// guardable reports whether the database can decide on each row by one stamp: that
// of its last delivery.
func (w *batchWrite) guardable() bool {
	if w.inbox.cfg.Dialect != database.Postgres || w.inbox.cfg.Policy != nil {
		return false
	}
	for _, s := range w.slots {
		if s.entity != w.slots[0].entity || !rising(s.records) {
			return false
		}
	}
	return true
}

// rising reports whether, under Newest, the last of a row's records wins wherever
// one before it does, and leaves the same stamp then as without them.
func rising(records []record) bool {
	for n, r := range records {
		if r.ofSnapshot {
			return false
		}
		if n == 0 {
			continue
		}
		before := records[n-1].stamp
		byVersion := before.Version > 0 && before.Version < r.stamp.Version
		neither := before.Version == 0 && r.stamp.Version == 0
		if before.Origin != r.stamp.Origin || !before.Position.Less(r.stamp.Position) || !byVersion && !neither {
			return false
		}
	}
	return true
}

// settleRepeated decides on rows with several deliveries by what there is without
// a lock: a row on which something else is applied in between loses as a whole.
func (w *batchWrite) settleRepeated(ctx context.Context, db *sql.DB) error {
	var repeated []*slot
	for _, s := range w.slots {
		s.last, s.stamp = s.places[0], s.records[0].stamp
		w.outcomes[s.last] = Applied
		if len(s.records) > 1 {
			repeated = append(repeated, s)
		}
	}
	current, err := w.inbox.readRows(ctx, db, repeated)
	if err != nil {
		return fmt.Errorf("inbox: read rows: %w", err)
	}
	for _, s := range repeated {
		s.settle(w.inbox, current[s.rowKey], w.outcomes)
		s.stamp = s.records[len(s.records)-1].stamp
	}
	return nil
}

// readRows returns the stamps of the slots that the inbox knows. All are of one
// entity.
func (i *Inbox) readRows(ctx context.Context, db *sql.DB, some []*slot) (map[rowKey]Stamp, error) {
	stamps := make(map[rowKey]Stamp, len(some))
	if len(some) == 0 {
		return stamps, nil
	}
	keys := make([]any, len(some))
	for n, s := range some {
		keys[n] = []byte(s.key)
	}
	return stamps, i.stampsOf(ctx, db, i.sql.readKeys, some[0].entity, keys, stamps)
}

// guardedBatch is what is left of a batch for the database to decide on.
type guardedBatch struct {
	*batchWrite

	slots   []*slot // each with a delivery to apply
	changes []change
	shape   *shape
	args    []any
	deletes bool
	lost    []*slot
}

// prepare collects what the statement binds. It reports false where a delivery is
// refused, which is nothing to speak of if it is old, and where a value has no text.
func (g *guardedBatch) prepare(ctx context.Context, db *sql.DB) (fits bool, err error) {
	for _, s := range g.batchWrite.slots {
		if s.last < 0 {
			continue
		}
		d := g.batch[s.last]
		c, err := g.table.prepare(ctx, db, d)
		if err != nil {
			return false, nil //nolint:nilerr // the batch comes to the same error on its other way, unless the delivery is old
		}
		g.slots, g.changes = append(g.slots, s), append(g.changes, c)
		g.deletes = g.deletes || d.Op == replhub.Delete
	}
	if len(g.slots) == 0 {
		return true, nil
	}
	if g.shape, err = g.table.shapeOf(ctx, db); err != nil {
		return true, err
	}
	return g.bind(), nil
}

func (g *guardedBatch) bind() bool {
	g.args = append(make([]any, 0, 2+len(guardColumns())+1+len(g.shape.columns)), g.slots[0].entity, time.Now().UnixNano())
	columns := make([][]any, len(g.slots))
	rows := make([][]any, len(g.slots))
	for n, s := range g.slots {
		columns[n] = append([]any{[]byte(s.key)}, s.stamp.columns()...)
		rows[n] = g.changes[n].row
	}
	for n := range guardColumns() {
		array, _ := columnText(columns, n) // all have a text
		g.args = append(g.args, array)
	}
	for n := range 1 + len(g.shape.columns) {
		array, ok := columnText(rows, n)
		if !ok {
			return false
		}
		g.args = append(g.args, array)
	}
	return true
}

// write writes the rows, in a transaction where deletes follow.
func (g *guardedBatch) write(ctx context.Context, db *sql.DB) error {
	if !g.deletes {
		return g.upsert(ctx, db)
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return fmt.Errorf("inbox: begin: %w", err)
	}
	// After a commit this does nothing.
	defer tx.Rollback() //nolint:errcheck // nothing was promised of a transaction that is given up
	if err := g.upsert(ctx, tx); err != nil {
		return err
	}
	var gone [][]any
	for n, s := range g.slots {
		if s.last >= 0 && g.batch[s.last].Op == replhub.Delete {
			gone = append(gone, g.changes[n].row)
		}
	}
	if err := g.table.removeRows(ctx, tx, g.shape, gone); err != nil {
		return fmt.Errorf("table %s: delete %d rows: %w", g.table.cfg.Table, len(gone), err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("inbox: commit: %w", err)
	}
	return nil
}

// upsert runs the statement, and takes what lost out of the slots.
func (g *guardedBatch) upsert(ctx context.Context, tx database.Tx) error {
	err := database.Query(ctx, tx, func(row database.Row) error {
		var n int
		if err := row.Scan(&n); err != nil {
			return err
		}
		s := g.slots[n-1]
		s.last = -1
		g.lost = append(g.lost, s)
		return nil
	}, g.table.guardedMany(g.shape), g.args...)
	if err != nil {
		return fmt.Errorf("table %s: write %d rows and those of the inbox: %w", g.table.cfg.Table, len(g.slots), err)
	}
	return nil
}

// explain finds out what the deliveries that were not applied lost against. Without
// a lock: if a newer change comes between, a duplicate is called stale.
func (g *guardedBatch) explain(ctx context.Context, db *sql.DB) error {
	g.batchWrite.changes = g.batchWrite.changes[:0]
	for n, s := range g.slots {
		if s.last >= 0 {
			g.batchWrite.changes = append(g.batchWrite.changes, g.changes[n])
		}
	}
	current, err := g.inbox.readRows(ctx, db, g.lost)
	if err != nil {
		return fmt.Errorf("inbox: read rows: %w", err)
	}
	for _, s := range g.lost {
		for n, r := range s.records {
			g.outcomes[s.places[n]] = g.inbox.lost(current[s.rowKey], r)
		}
	}
	return nil
}
