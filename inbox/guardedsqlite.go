package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/database"
)

// keptSizes are the numbers of rows of kept statements.
func keptSizes() []int { return []int{100, 10, 1} }

// keptStatements are prepared statements that write 100, 10 and 1 rows, for the
// first database that a table is used with: parsing is half of SQLite's work on a
// statement of many rows. They end with the database. The zero keptStatements
// works.
type keptStatements struct {
	mu sync.Mutex // guards the rest
	db *sql.DB
	// clauses is what the table's was; the rows' statements are by it.
	clauses bool
	// Each has one for each of keptSizes: stamps of events, stamps of rows of
	// snapshots, and the table's rows.
	stamps, rowStamps, rows []*sql.Stmt
}

// keptOn has the statements prepared; nil is none, for another database, or a table
// that has been made again.
func (t *Table) keptOn(ctx context.Context, db *sql.DB) (*keptStatements, error) {
	k := &t.prepared
	k.mu.Lock()
	defer k.mu.Unlock()
	clauses := t.clauses.Load()
	if k.db != nil && (k.db != db || k.clauses != clauses) {
		return nil, nil
	}
	if k.db == db {
		return k, nil
	}
	var made keptStatements
	all := make([]*sql.Stmt, 0, 3*len(keptSizes()))
	for _, size := range keptSizes() {
		stamps := valueLists(recordColumns, size)
		for _, one := range []struct {
			into *[]*sql.Stmt
			text string
		}{
			{&made.stamps, fmt.Sprintf(t.inbox.sql.guardMany, stamps)},
			{&made.rowStamps, fmt.Sprintf(t.inbox.sql.guardManyRows, stamps)},
			{&made.rows, t.inserting(t.into + "VALUES " + valueLists(1+len(t.columns), size) + t.replace)},
		} {
			statement, err := db.PrepareContext(ctx, one.text) //nolint:sqlclosecheck // kept as long as the database
			if err != nil {
				for _, before := range all {
					err = errors.Join(err, before.Close())
				}
				return nil, err
			}
			*one.into, all = append(*one.into, statement), append(all, statement)
		}
	}
	k.clauses = clauses
	k.db, k.stamps, k.rowStamps, k.rows = db, made.stamps, made.rowStamps, made.rows
	return k, nil
}

// valueLists are the lists behind VALUES, one for each row, with a parameter for each column.
func valueLists(columns, rows int) string {
	line := "(" + database.SQLite.Parameters(1, columns) + ")"
	return strings.Join(slices.Repeat([]string{line}, rows), ", ")
}

// onSQLite writes in one transaction. SQLite has one writer: what a transaction
// that writes reads is what holds until it ends. Where the inbox passed over a row,
// the transaction is given up and the batch decided on here.
func (g *guardedBatch) onSQLite(ctx context.Context, db *sql.DB) (fits bool, err error) {
	kept, err := g.table.keptOn(ctx, db)
	if kept == nil || err != nil {
		return false, nil //nolint:nilerr // the batch comes to the same error on its other way
	}
	leave, err := g.inbox.writers.enter(ctx, database.SQLite, db)
	if err != nil {
		return true, err
	}
	defer leave()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return true, fmt.Errorf("inbox: begin: %w", err)
	}
	// After a commit this does nothing.
	defer tx.Rollback() //nolint:errcheck // nothing was promised of a transaction that is given up
	if some := g.repeated(); len(some) > 0 {
		if _, err := tx.ExecContext(ctx, g.inbox.sql.lockFile); err != nil {
			return true, fmt.Errorf("inbox: lock: %w", err)
		}
		if err := g.settleRepeated(ctx, tx, some); err != nil {
			return true, err
		}
	}
	written, err := g.writeStamps(ctx, tx, kept)
	if err != nil {
		return true, fmt.Errorf("inbox: write rows: %w", err)
	}
	if written < len(g.slots) {
		return false, nil
	}
	if err := g.writeRows(ctx, tx, kept); err != nil {
		return true, err
	}
	if err := tx.Commit(); err != nil {
		return true, fmt.Errorf("inbox: commit: %w", err)
	}
	g.batchWrite.changes = g.changes
	return true, nil
}

// writeStamps writes the inbox's rows, and returns how many were new or won.
func (g *guardedBatch) writeStamps(ctx context.Context, tx *sql.Tx, kept *keptStatements) (written int, err error) {
	statements := kept.stamps
	if g.ofSnapshot {
		statements = kept.rowStamps
	}
	now := time.Now()
	args := make([]any, 0, recordColumns*min(len(g.slots), keptSizes()[0]))
	err = inSizes(g.slots, func(size int, part []*slot) error {
		args = args[:0]
		for _, s := range part {
			args = append(args, s.entity, []byte(s.key))
			args = append(args, s.stamp.args(now)...)
		}
		result, err := tx.StmtContext(ctx, statements[size]).ExecContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes it
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		written += int(n)
		return err
	})
	return written, err
}

// writeRows makes the changes in the table.
func (g *guardedBatch) writeRows(ctx context.Context, tx *sql.Tx, kept *keptStatements) error {
	rows, gone := g.rowsAndGone()
	if err := g.table.removeRows(ctx, tx, g.shape, gone); err != nil {
		return fmt.Errorf("table %s: delete %d rows: %w", g.table.cfg.Table, len(gone), err)
	}
	var args []any
	err := inSizes(rows, func(size int, part [][]any) error {
		args = args[:0]
		for _, row := range part {
			args = append(args, row...)
		}
		_, err := tx.StmtContext(ctx, kept.rows[size]).ExecContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes it
		return err
	})
	if err != nil {
		return fmt.Errorf("table %s: write %d rows: %w", g.table.cfg.Table, len(rows), err)
	}
	return nil
}

// inSizes calls do for parts of rows that have one of keptSizes, and tells which.
func inSizes[T any](rows []T, do func(size int, part []T) error) error {
	for size, n := range keptSizes() {
		for len(rows) >= n {
			if err := do(size, rows[:n]); err != nil {
				return err
			}
			rows = rows[n:]
		}
	}
	return nil
}
