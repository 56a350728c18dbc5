package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/replhub/replhub/database"
)

// requeuePiece is how many events are requeued in one transaction.
const requeuePiece = 256

// Requeue gives the events that were set aside back to the relays, after their cause
// was repaired (the server's limit was raised, a row corrected by hand). It returns
// their number. The events keep their ids and versions: if newer events of their keys
// were published meanwhile, the inbox keeps the newer ones.
//
// Requeue works in transactions of at most 256 events, and waits for no other
// transaction: an event that another one has locked stays set aside. After an error
// the number says how many events were requeued.
func (o *Outbox) Requeue(ctx context.Context, db *sql.DB) (n int64, err error) {
	// An event that fails again is set aside under a new id, behind these.
	end, err := readIDs(ctx, db, fmt.Sprintf("SELECT COALESCE(MAX(id), 0) FROM %s_failed", o.cfg.Table))
	if err != nil {
		return 0, fmt.Errorf("requeue: %w", err)
	}
	last := int64(0)
	for {
		// Without locks: a scan that locks would wait for a relay that sets an event aside.
		ids, err := readIDs(ctx, db, fmt.Sprintf("SELECT id FROM %s_failed WHERE id > %d AND id <= %d ORDER BY id LIMIT %d", o.cfg.Table, last, end[0], requeuePiece))
		if err != nil {
			return n, fmt.Errorf("requeue: %w", err)
		}
		if len(ids) == 0 {
			return n, nil
		}
		last = ids[len(ids)-1]
		var moved int64
		err = database.InTransaction(ctx, db, o.readCommitted(), func(tx *sql.Tx) error {
			moved, err = o.requeue(ctx, tx, ids)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("requeue: %w", err)
		}
		n += moved
	}
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

// requeue moves those of some rows that no other transaction has locked. They get ids
// of their own, since relays have passed the old ones.
func (o *Outbox) requeue(ctx context.Context, tx *sql.Tx, ids []int64) (int64, error) {
	ids, err := readIDs(ctx, tx, o.sql.lockFailed(ids))
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO %[1]s (%[2]s) SELECT %[2]s FROM %[1]s_failed WHERE id IN (%[3]s) ORDER BY id", o.cfg.Table, columns, list(ids)),
		o.sql.deleteFailed(ids),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}

func readIDs(ctx context.Context, db querier, query string) (ids []int64, err error) {
	rows, err := db.QueryContext(ctx, query)
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
