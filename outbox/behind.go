package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// readBehind reads the first rows of some shards, each behind its horizon, and the
// snapshot that shows them.
func (h *locked) readBehind(ctx context.Context) (found []row, seen snapshot, err error) {
	behind := make([]int64, len(h.some))
	for n, shard := range h.some {
		behind[n] = h.horizons[shard].from()
	}
	rows, err := h.tx.QueryContext(ctx, h.box.sql.behind, "{"+list(h.some)+"}", "{"+list(behind)+"}", h.limit)
	if err != nil {
		return nil, seen, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for size := 0; size < maxBatchBytes && rows.Next(); {
		r, bytes, err := scanRow(rows, h.generation)
		if err != nil {
			return nil, seen, err
		}
		if r.id == 0 {
			if seen, err = parseSnapshot(r.ev.Entity); err != nil {
				return nil, seen, err
			}
			continue
		}
		size += bytes
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return nil, seen, err
	}
	if seen.next == 0 {
		return nil, seen, errors.New("the database returned no snapshot of its transactions; try again")
	}
	return found, seen, nil
}

// wholeEvery is the time between looks of an idle relay at all rows: somebody may
// have written rows by hand, or set the sequence back.
const wholeEvery = time.Minute

// withRowsBehind returns the shards that have rows behind their horizons, and at
// times the shards that have any rows.
func (l *locks) withRowsBehind(ctx context.Context) (found []int, err error) {
	for {
		again, err := l.lookBehind(ctx, &found)
		if err != nil {
			return nil, fmt.Errorf("find rows to publish: %w", err)
		}
		if !again {
			break
		}
	}
	if now := time.Now(); len(found) == 0 && now.Sub(l.whole) > wholeEvery {
		if found, err = l.lookWhole(ctx); err != nil {
			return nil, fmt.Errorf("find rows to publish: %w", err)
		}
		// A look that takes long is made less often.
		l.whole = time.Now().Add(100 * time.Since(now))
	}
	return found, err
}

// lookBehind finds the shards with rows behind their horizons. It must be called
// again when a horizon has moved back.
func (l *locks) lookBehind(ctx context.Context, found *[]int) (again bool, err error) {
	from := make([]int64, l.box.cfg.Shards)
	for shard := range from {
		from[shard] = l.horizons[shard].from()
	}
	lowest, s, err := l.shardsBehind(ctx, from)
	if err != nil {
		return false, err
	}
	for shard := range l.horizons {
		again = !l.horizons[shard].holds(s) || again
	}
	if again {
		return true, nil
	}
	*found = slices.Sorted(maps.Keys(lowest))
	for shard := range l.horizons {
		if lowest[shard] == 0 {
			l.horizons[shard].scanned(s, 0, time.Now())
		}
	}
	return false, nil
}

// lookWhole finds the shards with rows. A horizon that hides a row is dropped. The
// others stay, because without them each scan would read the rows deleted since.
func (l *locks) lookWhole(ctx context.Context) (found []int, err error) {
	lowest, _, err := l.shardsBehind(ctx, nil)
	if err != nil {
		return nil, err
	}
	for shard, id := range lowest {
		if id <= l.horizons[shard].from() {
			l.horizons[shard] = horizon{}
		}
	}
	return slices.Sorted(maps.Keys(lowest)), nil
}

const (
	// slowLook is the duration from which a look may be one that was compiled.
	slowLook = 5 * time.Millisecond
	// slowFor is how long looks are made in a transaction then, without the compiler.
	// That takes three more ways to the server each.
	slowFor = 10 * time.Minute
)

// shardsBehind are the lowest ids of the shards' rows behind an id of each; zero
// where from has none.
func (l *locks) shardsBehind(ctx context.Context, from []int64) (lowest map[int]int64, s snapshot, err error) {
	began := time.Now()
	if began.After(l.slow) {
		lowest, s, err = l.box.shardsBehind(ctx, l.db, from)
		if time.Since(began) > slowLook {
			l.slow = began.Add(slowFor)
		}
		return lowest, s, err
	}
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted, ReadOnly: true})
	if err != nil {
		return nil, s, err
	}
	defer func() { err = errors.Join(err, rollback(tx)) }()
	if _, err := tx.ExecContext(ctx, l.box.sql.planned); err != nil {
		return nil, s, err
	}
	return l.box.shardsBehind(ctx, tx, from)
}

func (o *Outbox) shardsBehind(ctx context.Context, db querier, from []int64) (lowest map[int]int64, s snapshot, err error) {
	rows, err := db.QueryContext(ctx, o.sql.shardsBehind, "{"+list(from)+"}")
	if err != nil {
		return nil, s, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	lowest = map[int]int64{}
	for rows.Next() {
		var shard int
		var id int64
		var text string
		if err := rows.Scan(&shard, &id, &text); err != nil {
			return nil, s, err
		}
		if shard >= 0 {
			lowest[shard] = id
			continue
		}
		if s, err = parseSnapshot(text); err != nil {
			return nil, s, err
		}
	}
	return lowest, s, rows.Err()
}

func (l *locks) forget() { l.horizons = [maxShards]horizon{} }
