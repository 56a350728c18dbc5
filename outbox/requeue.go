package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/replhub/replhub/database"
)

// Requeue gives the events that were set aside back to the relays, after their cause
// was repaired (the server's limit was raised, a row corrected by hand). It returns
// their number. The events keep their ids and versions: if newer events of their keys
// were published meanwhile, the inbox keeps the newer ones.
func (o *Outbox) Requeue(ctx context.Context, db *sql.DB) (n int64, err error) {
	err = database.InTransaction(ctx, db, o.readCommitted(), func(tx *sql.Tx) error {
		n, err = o.requeue(ctx, tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("requeue: %w", err)
	}
	return n, nil
}

// readCommitted is for transactions each of whose statements is to see what was
// committed before it: one that waited for a lock is not refused then for what
// the holder has changed.
func (o *Outbox) readCommitted() *sql.TxOptions {
	if o.cfg.Dialect == database.SQLite {
		return nil // it has one writer at a time
	}
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

// requeue moves rows by id: rows that are set aside meanwhile stay. The rows get ids
// of their own, since relays have passed the old ones.
func (o *Outbox) requeue(ctx context.Context, tx *sql.Tx) (int64, error) {
	lock := " FOR UPDATE" // two that requeue at once
	if o.cfg.Dialect == database.SQLite {
		lock = ""
	}
	ids, err := readIDs(ctx, tx, fmt.Sprintf("SELECT id FROM %s_failed ORDER BY id%s", o.cfg.Table, lock))
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO %[1]s (%[2]s) SELECT %[2]s FROM %[1]s_failed WHERE id IN (%[3]s) ORDER BY id", o.cfg.Table, columns, list(ids)),
		fmt.Sprintf("DELETE FROM %s_failed WHERE id IN (%s)", o.cfg.Table, list(ids)),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}

func readIDs(ctx context.Context, tx *sql.Tx, query string) (ids []int64, err error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
