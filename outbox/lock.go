package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub/database"
)

// locks holds shards by locks on their rows, in a transaction that lasts while
// a batch is published: when the relay dies, the database gives them to others.
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
	// slow is until when looks are made in a transaction with settings of its own.
	slow time.Time
	// few is whether the last look found all rows, on MariaDB alone.
	few bool
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

func (l *locks) withRows(ctx context.Context) (found []int, many bool, err error) {
	if l.box.sql.lead != "" {
		return l.lead(ctx)
	}
	found, err = l.withRowsBehind(ctx)
	return found, false, err
}

func (l *locks) claim(ctx, late context.Context, some []int) (_ hold, err error) {
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
	h := &locked{locks: l, conn: conn, tx: tx}
	p, err := h.lock(ctx, some)
	if err == nil && len(h.some) == 0 {
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

// lock locks the rows of those shards that nobody else holds, and reads what holds
// for their batch. The shards are locked before the next statement sees rows.
func (h *locked) lock(ctx context.Context, some []int) (p place, err error) {
	recorded, here := "''", "''"
	if h.placed.Load() {
		recorded, here = fmt.Sprintf("(SELECT place FROM %s_generation)", h.box.cfg.Table), h.box.sql.place
	}
	query, args := fmt.Sprintf("SELECT shard, (%s), %s, %s, %s FROM %s_shards WHERE shard ", h.box.sql.generation, recorded, here, h.box.sql.plan, h.box.cfg.Table), []any(nil)
	if h.box.cfg.Dialect == database.Postgres {
		query, args = query+"= ANY($1::text::integer[])", []any{"{" + list(some) + "}"}
	} else {
		query += "IN (" + list(some) + ")"
	}
	rows, err := h.tx.QueryContext(ctx, query+" FOR UPDATE SKIP LOCKED", args...)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var shard int
		var planned string
		if err := rows.Scan(&shard, &p.generation, &p.recorded, &p.here, &planned); err != nil {
			return p, err
		}
		h.some = append(h.some, shard)
	}
	return p, rows.Err()
}

// movedError says that a generation is due before anything is published.
type movedError struct{ place }

func (e movedError) Error() string {
	return fmt.Sprintf("the outbox is at %s and was at %s: a new generation is due", e.here, e.recorded)
}

// locked is shards whose rows are locked.
type locked struct {
	*locks

	conn       *sql.Conn
	tx         *sql.Tx
	some       []int
	generation int64

	// What rows has read: how many, the last one's id in each shard that had any, and
	// by which snapshot.
	found int
	last  map[int]int64
	seen  snapshot
}

func (h *locked) rows(ctx context.Context) (found []row, err error) {
	if h.box.sql.behind == "" {
		return h.box.read(ctx, h.tx, h.box.firstOf(h.some, h.limit, h.few), h.generation)
	}
	for {
		if found, h.seen, err = h.readBehind(ctx); err != nil {
			return nil, err
		}
		again := false
		for _, shard := range h.some {
			again = !h.horizons[shard].holds(h.seen) || again
		}
		if !again {
			break
		}
	}
	h.note(found)
	return found, nil
}

// note notes what was found in each shard.
func (h *locked) note(found []row) {
	h.found, h.last = len(found), make(map[int]int64, len(h.some))
	lowest := make(map[int]int64, len(h.some))
	for i := range found {
		shard := found[i].shard
		if h.last[shard] == 0 {
			lowest[shard] = found[i].id
		}
		h.last[shard] = found[i].id
	}
	now := time.Now()
	for _, shard := range h.some {
		// A batch that is shared may be full before it comes to a shard's rows.
		if len(h.some) == 1 || lowest[shard] > 0 {
			h.horizons[shard].scanned(h.seen, lowest[shard], now)
		}
	}
}

func (h *locked) settle(ctx context.Context, out outcome) error {
	if err := h.box.settle(ctx, h.tx, out); err != nil {
		return err
	}
	if err := h.tx.Commit(); err != nil {
		return err
	}
	if h.box.sql.behind != "" && len(out.published)+len(out.aside) == h.found {
		now := time.Now()
		for shard, last := range h.last {
			h.horizons[shard].settled(h.seen, last, now)
		}
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
