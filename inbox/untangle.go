package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// mostTangled bounds the deliveries that are applied together since each has a
// unique value that the row of another one has.
const mostTangled = 500

// replicateOne is Replicate for one delivery by itself. One whose unique value
// another row has is applied together with that row's own change, if that waits too.
func (i *Inbox) replicateOne(ctx context.Context, db *sql.DB, d *replhub.Delivery, t *Table) (_ Outcome, err error) {
	defer func() { i.stats.refused(err) }()
	outcome, err := i.replicateAlone(ctx, db, d, t)
	switch {
	case err == nil:
		t.forget(ctx, db, t.kept.among(i, []*replhub.Delivery{d})...)
		return outcome, nil
	case database.IsUnique(err):
		outcomes, err := i.untangle(ctx, db, []*replhub.Delivery{d}, t, err)
		if err != nil {
			return 0, err
		}
		return outcomes[0], nil
	default:
		return 0, t.withForeignKeys(ctx, db, err)
	}
}

// untangle applies the deliveries of one row, which met cause, with those that wait
// for the rows in their way, in one transaction. Each of these rows gets its own
// change in it, so that no row loses a value that nobody gives back. Where one of
// them has no change that waits, the deliveries wait for it.
func (i *Inbox) untangle(ctx context.Context, db *sql.DB, batch []*replhub.Delivery, t *Table, cause error) ([]Outcome, error) {
	// First, so that of two that wait for each other at least one sees the other.
	newest, err := t.keepWaiting(ctx, db, batch)
	if err != nil {
		return nil, errors.Join(cause, fmt.Errorf("inbox: note that it waits, in a table that Migrate makes: %w", err))
	}
	if !slices.Contains(batch, newest) {
		// That one is in somebody's hands, and is the whole entity.
		outcomes := make([]Outcome, len(batch))
		for n, d := range batch {
			outcomes[n] = Stale
			i.stats.count(Stale, d)
		}
		return outcomes, nil
	}
	group, inTheWay, err := t.tangle(ctx, db, newest)
	switch {
	case err != nil && i.retryable(err):
		return nil, err
	case err != nil:
		return nil, errors.Join(cause, err)
	case inTheWay != "":
		return nil, fmt.Errorf("table %s: entity %s, key %q: the unique value is that of row %q, whose own change has not come: %w",
			t.cfg.Table, newest.Entity, shown(i.cfg.Key(newest)), shown(inTheWay), cause)
	}
	all := append(slices.Clone(batch), group[1:]...) // its first is the newest
	outcomes, err := i.replicateMany(ctx, db, all, t, true)
	switch {
	case err != nil && i.retryable(err):
		return nil, err
	case err != nil:
		return nil, errors.Join(cause, err)
	}
	t.forget(ctx, db, all...)
	return outcomes[:len(batch)], nil
}

// tangle finds the deliveries that wait for the rows in d's way, and for those in
// the way of these, and so on; or else a row in the way for which none waits.
func (t *Table) tangle(ctx context.Context, db *sql.DB, d *replhub.Delivery) (group []*replhub.Delivery, inTheWay string, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, "", fmt.Errorf("inbox: begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // what it wrote was to find out
	s, err := t.newSearch(ctx, tx)
	if err != nil {
		return nil, "", err
	}
	if err := s.add(ctx, d); err != nil {
		return nil, "", err
	}
	for len(s.left) > 0 {
		row := s.left[0]
		s.left = s.left[1:]
		if inTheWay, err = s.follow(ctx, row); err != nil || inTheWay != "" {
			return nil, inTheWay, err
		}
	}
	return s.group, "", nil
}

// follow adds to the group what waits for the rows in the way of one of it, or
// returns the key of one for which nothing does.
func (s *search) follow(ctx context.Context, row []any) (inTheWay string, err error) {
	for {
		key, found, err := s.holder(ctx, row)
		if err != nil || !found {
			return "", err
		}
		if s.keys[key] {
			return key, nil // it cannot give the value up for a moment
		}
		waiting, err := s.table.findWaiting(ctx, s.tx, key)
		if err != nil {
			return "", err
		}
		if len(waiting) == 0 || len(s.group) >= mostTangled {
			return key, nil
		}
		for _, other := range waiting {
			if err := s.add(ctx, other); err != nil {
				return "", err
			}
		}
		if !s.keys[key] {
			return key, nil // the row's key is none of the inbox's
		}
	}
}

// forget removes what was noted of deliveries that are through. What it fails to
// remove expires.
func (t *Table) forget(ctx context.Context, db *sql.DB, batch ...*replhub.Delivery) {
	if err := t.removeWaiting(ctx, db, batch); err != nil {
		t.inbox.cfg.Logger.Debug("remove what waited; it expires", "err", err)
	}
}

// search looks for the rows in the way of a group of deliveries.
type search struct {
	table   *Table
	tx      *sql.Tx
	shape   *shape
	indexes []uniqueIndex
	gaps    []stopgap
	group   []*replhub.Delivery
	keys    map[string]bool // of the group
	left    [][]any         // its rows that are still to be followed
}

func (t *Table) newSearch(ctx context.Context, tx *sql.Tx) (*search, error) {
	s := &search{table: t, tx: tx, keys: map[string]bool{}}
	var err error
	if t.inbox.cfg.Dialect == database.SQLite {
		if _, err := tx.ExecContext(ctx, t.inbox.sql.lockFile); err != nil {
			return nil, err
		}
	}
	if s.shape, err = t.shapeOf(ctx, tx); err != nil {
		return nil, err
	}
	if s.indexes, err = t.readUniques(ctx, tx); err != nil {
		return nil, err
	}
	s.gaps, err = t.stopgaps(s.shape, s.indexes)
	return s, err
}

// add takes a delivery into the group. The caller gives each at most once.
func (s *search) add(ctx context.Context, d *replhub.Delivery) error {
	t := s.table
	c, err := t.prepare(ctx, s.tx, d)
	if err != nil {
		return err
	}
	s.group = append(s.group, d)
	if d.Op != replhub.Delete {
		s.left = append(s.left, c.row)
	}
	s.keys[t.inbox.cfg.Key(d)] = true
	if t.inbox.cfg.Dialect != database.SQLite {
		return nil
	}
	return t.vacate(ctx, s.tx, s.gaps, [][]any{c.row})
}

// holder is the key of a row outside of the group that has a unique value of row.
func (s *search) holder(ctx context.Context, row []any) (key string, found bool, err error) {
	if s.table.inbox.cfg.Dialect == database.SQLite {
		return s.probe(ctx, row)
	}
	for _, index := range s.indexes {
		query, args, ok := s.holderQuery(index, row)
		if !ok {
			continue
		}
		keys, err := names(ctx, s.tx, query, args...)
		if err != nil {
			return "", false, fmt.Errorf("look for the row in the way: %w", err)
		}
		if n := slices.IndexFunc(keys, func(key string) bool { return !s.keys[key] }); n >= 0 {
			return keys[n], true, nil
		}
	}
	return "", false, nil
}
