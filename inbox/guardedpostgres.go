package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub/database"
)

// guardArrays are the types of the arrays of the inbox's columns that a guarded
// batch binds behind its entity and its time; guardNames are the columns.
func guardArrays() []string {
	const numbers = "bigint[]"
	return []string{"bytea[]", numbers, numbers, "text[]", numbers, numbers, "boolean[]"}
}

const guardNames = "entity_key, " + stampColumns

// guardedMany is the statement of a guarded batch on PostgreSQL. It writes the rows
// of the inbox that are new or win, then the table's rows of these but for deletes,
// and returns the numbers of those that lost, counted from 1.
//
// The words IS TRUE keep the planner from joining: it takes the arrays to be short,
// and a plan for short ones compares each row with each.
func (g *guardedBatch) guardedMany() string {
	var arrays, values, names strings.Builder
	n := 3 // $1 is the entity, $2 the time
	for _, array := range guardArrays() {
		fmt.Fprintf(&arrays, "$%d::text::%s, ", n, array)
		n++
	}
	for i, cast := range g.shape.casts() {
		if i > 0 {
			arrays.WriteString(", ")
			values.WriteString(", ")
		}
		name := "c" + strconv.Itoa(i+1)
		names.WriteString(", " + name)
		arrays.WriteString("$" + strconv.Itoa(n+i) + "::text::text[]")
		values.WriteString("v." + name + "::" + cast)
	}
	guard := g.inbox.sql.guardMany
	if g.ofSnapshot {
		guard = g.inbox.sql.guardManyRows
	}
	return "WITH v AS MATERIALIZED (SELECT " + guardNames + names.String() + ", n FROM unnest(" + arrays.String() + ") WITH ORDINALITY AS v(" + guardNames + names.String() + ", n)),\n" +
		"guard AS (" + guard + " RETURNING r.entity_key),\n" +
		"written AS (" + g.table.into + "SELECT " + values.String() + " FROM v WHERE NOT v.deleted AND (v.entity_key IN (SELECT entity_key FROM guard)) IS TRUE" + g.table.replace + ")\n" +
		"SELECT v.n FROM v WHERE v.entity_key NOT IN (SELECT entity_key FROM guard)"
}

// onPostgres writes by one statement, and by another one within a transaction where
// there are deletes.
func (g *guardedBatch) onPostgres(ctx context.Context, db *sql.DB) (fits bool, err error) {
	if some := g.repeated(); len(some) > 0 {
		// Without a lock. A row on which something is applied meanwhile is passed over.
		if err := g.settleRepeated(ctx, db, some); err != nil || len(g.slots) == 0 {
			return true, err
		}
	}
	args, ok := g.bind()
	if !ok {
		return false, nil
	}
	lost, err := g.write(ctx, db, args)
	if err != nil {
		return true, err
	}
	g.keepWinners()
	g.batchWrite.changes = g.changes
	g.explain(ctx, db, lost)
	return true, nil
}

// bind makes the statement's arguments. It reports false where a value has no text.
func (g *guardedBatch) bind() (args []any, ok bool) {
	args = append(make([]any, 0, 16+len(g.shape.columns)), g.slots[0].entity, toNano(time.Now()))
	columns, rows := make([][]any, len(g.slots)), make([][]any, len(g.slots))
	for n, s := range g.slots {
		columns[n] = append([]any{[]byte(s.key)}, s.stamp.columns()...)
		rows[n] = g.changes[n].row
	}
	for n := range guardArrays() {
		array, _ := columnText(columns, n) // all have a text
		args = append(args, array)
	}
	for n := range 1 + len(g.shape.columns) {
		array, ok := columnText(rows, n)
		if !ok {
			return nil, false
		}
		args = append(args, array)
	}
	return args, true
}

// write writes the rows, and returns the slots that lost.
func (g *guardedBatch) write(ctx context.Context, db *sql.DB, args []any) (lost []*slot, err error) {
	if _, gone := g.rowsAndGone(); len(gone) == 0 {
		return g.upsert(ctx, db, args)
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, fmt.Errorf("inbox: begin: %w", err)
	}
	// After a commit this does nothing.
	defer tx.Rollback() //nolint:errcheck // nothing was promised of a transaction that is given up
	if lost, err = g.upsert(ctx, tx, args); err != nil {
		return nil, err
	}
	g.keepWinners()
	// A statement of its own: it sees the rows that others committed while the one
	// before waited for the inbox's.
	_, gone := g.rowsAndGone()
	if err := g.table.removeRows(ctx, tx, g.shape, gone); err != nil {
		return nil, fmt.Errorf("table %s: delete %d rows: %w", g.table.cfg.Table, len(gone), err)
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("inbox: commit: %w", err)
	}
	return lost, nil
}

func (g *guardedBatch) upsert(ctx context.Context, tx database.Tx, args []any) (lost []*slot, err error) {
	err = database.Query(ctx, tx, func(row database.Row) error {
		var n int
		if err := row.Scan(&n); err != nil {
			return err
		}
		s := g.slots[n-1]
		s.last = -1
		lost = append(lost, s)
		return nil
	}, g.guardedMany(), args...)
	if err != nil {
		return nil, fmt.Errorf("table %s: write %d rows and the inbox's: %w", g.table.cfg.Table, len(g.slots), err)
	}
	return lost, nil
}

// explain finds out what the deliveries that were not applied lost against. Without
// a lock: if a newer change comes between, a duplicate is called stale. So is one where
// that cannot be found out: the others are applied by now.
func (g *guardedBatch) explain(ctx context.Context, db *sql.DB, lost []*slot) {
	current, err := g.inbox.readRows(ctx, db, lost)
	if err != nil {
		g.inbox.cfg.Logger.Debug("a batch is applied, and the skipped deliveries count as stale", "deliveries", len(lost), "err", err)
	}
	for _, s := range lost {
		for n, r := range s.records {
			if g.outcomes[s.places[n]] = Stale; err == nil {
				g.outcomes[s.places[n]] = g.inbox.lost(current[s.rowKey], r)
			}
		}
	}
}
