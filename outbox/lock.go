package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// locks holds a shard by a lock on its row, in a transaction that lasts while
// its batch is published: when the relay dies, the database gives it to others.
type locks struct {
	box   *Outbox
	db    *sql.DB
	limit int
}

func (l *locks) claim(ctx, late context.Context, shard int) (_ hold, err error) {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	// Rows that were committed until each statement begins are to be seen.
	tx, err := conn.BeginTx(late, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	h := &locked{locks: l, conn: conn, tx: tx, shard: shard}
	var got int
	err = tx.QueryRowContext(ctx, fmt.Sprintf("SELECT shard FROM %s_shards WHERE shard = %d FOR UPDATE SKIP LOCKED", l.box.cfg.Table, shard)).Scan(&got)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, h.release(late)
	}
	if err != nil {
		return nil, errors.Join(err, rollback(tx))
	}
	return h, nil
}

// locked is a shard whose row is locked.
type locked struct {
	*locks

	conn  *sql.Conn
	tx    *sql.Tx
	shard int
}

func (h *locked) rows(ctx context.Context) ([]row, error) {
	return h.box.read(ctx, h.tx, h.shard, h.limit)
}

func (h *locked) settle(ctx context.Context, out outcome) error {
	if err := h.box.settle(ctx, h.tx, out); err != nil {
		return err
	}
	return h.tx.Commit()
}

func (h *locked) release(context.Context) error {
	err := rollback(h.tx) // nothing to do after a commit
	if closeErr := h.conn.Close(); !errors.Is(closeErr, sql.ErrConnDone) {
		err = errors.Join(err, closeErr)
	}
	return err
}
