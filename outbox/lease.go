package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// leases holds a shard by a date in its row. SQLite has one writer: a
// transaction that lasted while a batch is published would stop the service.
// All processes that use the file share one clock.
type leases struct {
	box   *Outbox
	db    *sql.DB
	limit int
	owner string
	lease time.Duration
}

func (*leases) begin(context.Context, *slog.Logger) error { return nil }

func (l *leases) withRows(ctx context.Context) ([]int, error) { return l.box.shardsWithRows(ctx, l.db) }

func (*leases) forget() {}

func (l *leases) claim(ctx, _ context.Context, shard int) (hold, error) {
	now := time.Now()
	var generation int64
	err := l.db.QueryRowContext(ctx, fmt.Sprintf("UPDATE %s_shards SET owner = ?, held_until = ? WHERE shard = ? AND held_until < ? RETURNING (%s)", l.box.cfg.Table, l.box.sql.generation),
		l.owner, now.Add(l.lease).UnixMilli(), shard, now.UnixMilli()).Scan(&generation)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &leased{leases: l, shard: shard, generation: generation}, nil
}

// leased is a shard under a lease. A relay that is paused beyond it may publish
// beside the next holder: the same events under the same ids, and their
// versions say which is older.
type leased struct {
	*leases

	shard      int
	generation int64
}

func (h *leased) rows(ctx context.Context) ([]row, error) {
	return h.box.read(ctx, h.db, h.shard, h.limit, h.generation)
}

func (h *leased) settle(ctx context.Context, out outcome) error {
	tx, err := h.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := h.box.settle(ctx, tx, out); err != nil {
		return errors.Join(err, rollback(tx))
	}
	return tx.Commit()
}

func (h *leased) release(ctx context.Context) error {
	_, err := h.db.ExecContext(ctx, fmt.Sprintf("UPDATE %s_shards SET held_until = 0 WHERE shard = ? AND owner = ?", h.box.cfg.Table), h.shard, h.owner)
	return err
}
