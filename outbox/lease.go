package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// leases holds shards by a date in their rows. SQLite has one writer: a
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

func (l *leases) withRows(ctx context.Context) (found []int, many bool, err error) {
	found, err = shardsOf(ctx, l.db, l.box.sql.withWork)
	return found, false, err
}

func (*leases) forget() {}

func (l *leases) claim(ctx, _ context.Context, some []int) (_ hold, err error) {
	now := time.Now()
	rows, err := l.db.QueryContext(ctx, fmt.Sprintf("UPDATE %s_shards SET owner = ?, held_until = ? WHERE shard IN (%s) AND held_until < ? RETURNING shard, (%s)",
		l.box.cfg.Table, list(some), l.box.sql.generation), l.owner, now.Add(l.lease).UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	h := &leased{leases: l}
	for rows.Next() {
		var shard int
		if err := rows.Scan(&shard, &h.generation); err != nil {
			return nil, err
		}
		h.some = append(h.some, shard)
	}
	if err := rows.Err(); err != nil || len(h.some) == 0 {
		return nil, err
	}
	return h, nil
}

// leased is shards under a lease. A relay that is paused beyond it may publish
// beside the next holder: the same events under the same ids, and their
// versions say which is older.
type leased struct {
	*leases

	some       []int
	generation int64
	released   bool
}

func (h *leased) rows(ctx context.Context) ([]row, error) {
	return h.box.read(ctx, h.db, h.box.firstOf(h.some, h.limit, true), h.generation)
}

func (h *leased) settle(ctx context.Context, out outcome) error {
	tx, err := h.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = h.box.settle(ctx, tx, out)
	if err == nil {
		err = h.end(ctx, tx)
	}
	if err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	h.released = true
	return nil
}

func (h *leased) release(ctx context.Context) error {
	if h.released {
		return nil
	}
	return h.end(ctx, h.db)
}

// end ends the lease.
func (h *leased) end(ctx context.Context, db querier) error {
	_, err := db.ExecContext(ctx, fmt.Sprintf("UPDATE %s_shards SET held_until = 0 WHERE shard IN (%s) AND owner = ?", h.box.cfg.Table, list(h.some)), h.owner)
	return err
}
