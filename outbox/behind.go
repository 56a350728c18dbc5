package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
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
		return nil, seen, errors.New("the database told no snapshot")
	}
	return found, seen, nil
}

// wholeEvery is how often an idle relay looks at all rows: somebody may have
// written some by hand, or set the sequence back.
const wholeEvery = time.Minute

func (l *locks) withRows(ctx context.Context) (found []int, err error) {
	if l.box.sql.behind == "" {
		return l.box.shardsWithRows(ctx, l.db)
	}
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
		l.forget()
		_, err = l.lookBehind(ctx, &found)
		// A look that takes long is made more seldom.
		l.whole = time.Now().Add(100 * time.Since(now))
	}
	return found, err
}

// lookBehind finds the shards with rows behind their horizons. It is to be called
// again when a horizon has moved back.
func (l *locks) lookBehind(ctx context.Context, found *[]int) (again bool, err error) {
	var s snapshot
	if *found, s, err = l.shardsBehind(ctx); err != nil {
		return false, err
	}
	for shard := range l.horizons {
		again = !l.horizons[shard].holds(s) || again
	}
	if again {
		return true, nil
	}
	some := map[int]bool{}
	for _, shard := range *found {
		some[shard] = true
	}
	for shard := range l.horizons {
		if !some[shard] {
			l.horizons[shard].scanned(s, 0, time.Now())
		}
	}
	return false, nil
}

func (l *locks) shardsBehind(ctx context.Context) (found []int, s snapshot, err error) {
	from := make([]string, l.box.cfg.Shards)
	for shard := range from {
		from[shard] = fmt.Sprint(l.horizons[shard].from())
	}
	rows, err := l.db.QueryContext(ctx, l.box.sql.shardsBehind, "{"+strings.Join(from, ",")+"}")
	if err != nil {
		return nil, s, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var shard int
		var text sql.NullString
		if err := rows.Scan(&shard, &text); err != nil {
			return nil, s, err
		}
		if shard >= 0 {
			found = append(found, shard)
			continue
		}
		if s, err = parseSnapshot(text.String); err != nil {
			return nil, s, err
		}
	}
	return found, s, rows.Err()
}

func (l *locks) forget() { l.horizons = [maxShards]horizon{} }
