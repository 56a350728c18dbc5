package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// errRaced says that another transaction made a row between the look for it and
// the attempt to make it.
var errRaced = errors.New("another transaction has just applied a delivery of the same key")

// ReplicateBatch is Replicate for many deliveries: one transaction with a few
// statements, whatever the number of deliveries; on PostgreSQL, under the default
// policy, one statement where there are no deletes. Deliveries of one key must be in
// their order; the last that wins is applied, and those before it are Stale. It
// returns the outcome of each delivery.
//
// After an error no delivery was applied, unless the connection broke while the
// database committed; the same batch then ends in duplicates. One delivery may have
// caused the error. The caller must find it, as a subscriber with [Table.Handler]
// does.
func (i *Inbox) ReplicateBatch(ctx context.Context, db *sql.DB, batch []*replhub.Delivery, t *Table) ([]Outcome, error) {
	switch len(batch) {
	case 0:
		return nil, nil
	case 1:
		outcome, err := i.replicateOne(ctx, db, batch[0], t)
		return []Outcome{outcome}, err
	}
	outcomes, err := i.replicateMany(ctx, db, batch, t, false)
	switch {
	case err == nil:
		t.forget(ctx, db, t.kept.among(i, batch)...)
	case database.IsUnique(err) && i.ofOneRow(batch):
		outcomes, err = i.untangle(ctx, db, batch, t, err)
	}
	if err != nil && i.ofOneRow(batch) {
		i.stats.refused(err)
	}
	return outcomes, err
}

// ofOneRow reports whether deliveries are all of one row: a subscriber hands over one
// that waits so, with what has come behind it.
func (i *Inbox) ofOneRow(batch []*replhub.Delivery) bool {
	first := batch[0]
	return !slices.ContainsFunc(batch, func(d *replhub.Delivery) bool {
		return d.Entity != first.Entity || i.cfg.Key(d) != i.cfg.Key(first)
	})
}

// replicateMany is ReplicateBatch for one delivery or more. Where rows of the batch
// have unique values that others of it take, they give them up first: at once if
// vacate says so, or else after an error that says so.
func (i *Inbox) replicateMany(ctx context.Context, db *sql.DB, batch []*replhub.Delivery, t *Table, vacate bool) ([]Outcome, error) {
	all, err := i.slots(batch)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	w := &batchWrite{inbox: i, table: t, batch: batch, slots: all, outcomes: make([]Outcome, len(batch)), vacate: vacate}
	var tangled error
	for attempt := 0; ; attempt++ {
		err := w.once(ctx, db)
		if err == nil {
			for place, outcome := range w.outcomes {
				w.outcomes[place] = i.stats.count(outcome, batch[place])
			}
			for _, c := range w.changes {
				t.tell(c)
			}
			return w.outcomes, nil
		}
		t.doubt(err)
		if !w.vacate && database.IsUnique(err) {
			w.vacate, tangled = true, err
			continue
		}
		notVacated := errors.Is(err, errNotVacated)
		again := notVacated || errors.Is(err, errRaced) || i.retryable(err)
		if attempt >= i.cfg.Retries || !again || !pause(ctx, attempt) {
			if tangled != nil && (notVacated || !again) {
				err = tangled // what became of the second try is about no delivery
			}
			return nil, err
		}
		i.stats.retries.Add(1)
	}
}

// Handler returns a handler that replicates a subscriber's deliveries into the table:
// in batches when several deliveries wait, otherwise one by one.
func (t *Table) Handler(db *sql.DB) replhub.BatchHandler {
	return replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
		_, err := t.inbox.ReplicateBatch(ctx, db, batch, t)
		return err
	})
}

// batchWrite is a batch on its way into the database.
type batchWrite struct {
	inbox    *Inbox
	table    *Table
	batch    []*replhub.Delivery
	slots    []*slot
	outcomes []Outcome
	changes  []change
	// vacate has the rows of the batch give up their unique values before they get
	// new ones.
	vacate bool
}

func (w *batchWrite) once(ctx context.Context, db *sql.DB) error {
	if !w.vacate {
		if fits, err := w.guarded(ctx, db); fits {
			return err
		}
	}
	return w.locked(ctx, db)
}

// locked locks the rows of the inbox, decides, and writes.
func (w *batchWrite) locked(ctx context.Context, db *sql.DB) error {
	leave, err := w.inbox.writers.enter(ctx, w.inbox.cfg.Dialect, db)
	if err != nil {
		return err
	}
	defer leave()
	tx, err := db.BeginTx(ctx, w.inbox.readCommitted())
	if err != nil {
		return fmt.Errorf("inbox: begin: %w", err)
	}
	// After a commit this does nothing.
	defer tx.Rollback() //nolint:errcheck // nothing was promised of a transaction that is given up
	if err := w.write(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("inbox: commit: %w", err)
	}
	return nil
}

// readCommitted is for transactions each of whose statements is to see what was
// committed before it: decisions are made on rows that are locked. On MariaDB the
// default level also locks the gaps between rows, so that transactions of other keys
// wait, and ends a transaction at a row that has changed since its snapshot.
func (i *Inbox) readCommitted() *sql.TxOptions {
	if i.cfg.Dialect == database.SQLite {
		return nil // it has one writer at a time
	}
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

func (w *batchWrite) write(ctx context.Context, tx *sql.Tx) error {
	w.changes = w.changes[:0]
	current, err := w.inbox.lockRows(ctx, tx, w.slots)
	if err != nil {
		return fmt.Errorf("inbox: lock rows: %w", err)
	}
	var fresh, known []*slot
	for _, s := range w.slots {
		var stamp Stamp
		stamp, s.known = current[s.rowKey]
		s.settle(w.inbox, stamp, w.outcomes)
		switch {
		case s.last < 0:
		case s.known:
			known = append(known, s)
		default:
			fresh = append(fresh, s)
		}
	}
	if err := w.inbox.makeRows(ctx, tx, fresh); err != nil {
		return fmt.Errorf("inbox: write new rows: %w", err)
	}
	if err := w.inbox.overwriteRows(ctx, tx, known); err != nil {
		return fmt.Errorf("inbox: write rows: %w", err)
	}
	return w.apply(ctx, tx, slices.Concat(fresh, known))
}

// apply makes the changes in the table.
func (w *batchWrite) apply(ctx context.Context, tx *sql.Tx, applied []*slot) error {
	var rows, gone [][]any
	for _, s := range applied {
		d := w.batch[s.last]
		c, err := w.table.prepare(ctx, tx, d)
		if err != nil {
			return fmt.Errorf("effect on %s %q: %w", s.entity, s.key, err)
		}
		w.changes = append(w.changes, c)
		if d.Op == replhub.Delete {
			gone = append(gone, c.row)
		} else {
			rows = append(rows, c.row)
		}
	}
	shape, err := w.table.shapeOf(ctx, tx)
	if err != nil {
		return err
	}
	if err := w.table.removeRows(ctx, tx, shape, gone); err != nil {
		return fmt.Errorf("table %s: delete %d rows: %w", w.table.cfg.Table, len(gone), err)
	}
	if w.vacate {
		if err := w.table.vacateRows(ctx, tx, shape, rows); err != nil {
			return err
		}
	}
	if err := w.table.upsertRows(ctx, tx, shape, rows); err != nil {
		return fmt.Errorf("table %s: write %d rows: %w", w.table.cfg.Table, len(rows), err)
	}
	return nil
}

// inChunks calls do for parts of rows that a statement has room for: 30,000
// parameters, where SQLite takes 32,766 and MariaDB 65,535, and literalChunk rows
// on MariaDB.
func inChunks[T any](d database.Dialect, rows []T, columns int, do func([]T) error) error {
	size := max(1, 30_000/max(1, columns))
	if d == database.MariaDB {
		size = min(size, literalChunk)
	}
	for part := range slices.Chunk(rows, size) {
		if err := do(part); err != nil {
			return err
		}
	}
	return nil
}

// lockRows locks the rows of the inbox that there are, and returns their stamps.
func (i *Inbox) lockRows(ctx context.Context, tx *sql.Tx, all []*slot) (map[rowKey]Stamp, error) {
	if i.cfg.Dialect == database.SQLite {
		// The file is locked by the first write.
		if _, err := tx.ExecContext(ctx, i.sql.lockFile); err != nil {
			return nil, err
		}
	}
	stamps := make(map[rowKey]Stamp, len(all))
	for len(all) > 0 {
		entity := all[0].entity
		var keys []any
		for len(all) > 0 && all[0].entity == entity {
			keys = append(keys, []byte(all[0].key))
			all = all[1:]
		}
		err := inChunks(i.cfg.Dialect, keys, 1, func(keys []any) error { return i.stampsOf(ctx, tx, i.sql.lockKeys, entity, keys, stamps) })
		if err != nil {
			return nil, err
		}
	}
	return stamps, nil
}

// stampsOf adds the stamps of the keys that the inbox knows. query is lockKeys or
// readKeys.
func (i *Inbox) stampsOf(ctx context.Context, tx database.Tx, query, entity string, keys []any, stamps map[rowKey]Stamp) error {
	var args []any
	switch i.cfg.Dialect {
	case database.Postgres:
		array, _ := arrayText(keys) // they are bytes
		args = []any{entity, array}
	case database.MariaDB:
		name, _ := appendLiteral(nil, entity)
		query = fmt.Sprintf(query, name, literalKeys(keys))
	default:
		args = append([]any{entity}, keys...)
		query = fmt.Sprintf(query, "?", i.cfg.Dialect.Parameters(2, len(keys)))
	}
	return database.Query(ctx, tx, func(row database.Row) error {
		var key []byte
		var s storedStamp
		if err := row.Scan(append([]any{&key}, s.into()...)...); err != nil {
			return err
		}
		stamps[rowKey{entity, string(key)}] = s.stamp()
		return nil
	}, query, args...)
}

// makeRows makes rows that were not there when they were looked for.
func (i *Inbox) makeRows(ctx context.Context, tx *sql.Tx, fresh []*slot) error {
	return inChunks(i.cfg.Dialect, fresh, recordColumns, func(part []*slot) error {
		made, err := i.insertRows(ctx, tx, i.sql.makeRows, part)
		if err == nil && made != int64(len(part)) {
			err = errRaced
		}
		return err
	})
}

// overwriteRows writes rows that are locked.
func (i *Inbox) overwriteRows(ctx context.Context, tx *sql.Tx, known []*slot) error {
	return inChunks(i.cfg.Dialect, known, recordColumns, func(part []*slot) error {
		_, err := i.insertRows(ctx, tx, i.sql.overwriteRows, part)
		return err
	})
}

func (i *Inbox) insertRows(ctx context.Context, tx *sql.Tx, statement string, part []*slot) (int64, error) {
	now := time.Now()
	var source string
	var args []any
	if i.cfg.Dialect == database.MariaDB {
		source = "VALUES " + literalRecords(part, toNano(now))
	} else {
		rows := make([][]any, len(part))
		for n, s := range part {
			rows[n] = record{entity: s.entity, key: s.key, stamp: s.stamp}.args(now)
		}
		source, args, _ = rowSource(i.cfg.Dialect, recordCasts(), rows) // all have a text
	}
	result, err := tx.ExecContext(ctx, fmt.Sprintf(statement, source), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
