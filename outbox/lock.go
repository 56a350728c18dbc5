package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// locks holds a shard by a lock on its row, in a transaction that lasts while
// its batch is published: when the relay dies, the database gives it to others.
type locks struct {
	box   *Outbox
	db    *sql.DB
	limit int
	// placed has each claim tell where the tables lie.
	placed atomic.Bool
	// horizons are those of the shards, on PostgreSQL alone. Each is used by one
	// goroutine at a time: the one that looks, or then the shard's worker.
	horizons [maxShards]horizon
	whole    time.Time // the last look at all rows, wherever the horizons are
}

func (l *locks) begin(ctx context.Context, log *slog.Logger) error {
	if l.box.sql.place == "" {
		return nil
	}
	err := l.box.whereabouts(ctx, l.db)
	if errors.Is(err, errNoPlace) {
		log.Warn("outbox relay will not notice that the database was restored: call NewGeneration then", keyErr, err)
		return nil
	}
	l.placed.Store(err == nil)
	return err
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
	p, err := l.lock(ctx, tx, shard)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, h.release(late)
	}
	if err == nil && p.moved() {
		err = movedError{p}
	}
	if err != nil {
		return nil, errors.Join(err, rollback(tx))
	}
	h.generation = p.generation
	return h, nil
}

// lock locks a shard's row and reads what holds for its batch. The shard is
// locked before the next statement sees rows.
func (l *locks) lock(ctx context.Context, tx *sql.Tx, shard int) (p place, err error) {
	recorded, here := "''", "''"
	if l.placed.Load() {
		recorded, here = fmt.Sprintf("(SELECT place FROM %s_generation)", l.box.cfg.Table), l.box.sql.place
	}
	err = tx.QueryRowContext(ctx, fmt.Sprintf("SELECT (%s), %s, %s FROM %s_shards WHERE shard = %d FOR UPDATE SKIP LOCKED",
		l.box.sql.generation, recorded, here, l.box.cfg.Table, shard)).Scan(&p.generation, &p.recorded, &p.here)
	return p, err
}

// movedError says that a generation is due before anything is published.
type movedError struct{ place }

func (e movedError) Error() string {
	return fmt.Sprintf("the outbox is at %s and was at %s: a new generation is due", e.here, e.recorded)
}

// locked is a shard whose row is locked.
type locked struct {
	*locks

	conn       *sql.Conn
	tx         *sql.Tx
	shard      int
	generation int64

	// What rows has read: how many, the last one's id, and by which snapshot.
	found int
	last  int64
	seen  snapshot
}

func (h *locked) rows(ctx context.Context) (found []row, err error) {
	if h.box.sql.behind == nil {
		return h.box.read(ctx, h.tx, h.shard, h.limit, h.generation)
	}
	horizon := &h.horizons[h.shard]
	for {
		if found, h.seen, err = h.box.readBehind(ctx, h.tx, h.shard, h.limit, h.generation, horizon.from()); err != nil {
			return nil, err
		}
		if horizon.holds(h.seen) {
			break
		}
	}
	lowest := int64(0)
	if len(found) > 0 {
		lowest, h.last = found[0].id, found[len(found)-1].id
	}
	h.found = len(found)
	horizon.scanned(h.seen, lowest, time.Now())
	return found, nil
}

func (h *locked) settle(ctx context.Context, out outcome) error {
	if err := h.box.settle(ctx, h.tx, out); err != nil {
		return err
	}
	if err := h.tx.Commit(); err != nil {
		return err
	}
	if h.box.sql.behind != nil && len(out.published)+len(out.aside) == h.found {
		h.horizons[h.shard].settled(h.seen, h.last, time.Now())
	}
	return nil
}

func (h *locked) release(context.Context) error {
	err := rollback(h.tx) // nothing to do after a commit
	if closeErr := h.conn.Close(); !errors.Is(closeErr, sql.ErrConnDone) {
		err = errors.Join(err, closeErr)
	}
	return err
}
