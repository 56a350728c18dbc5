package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/replhub/replhub/database"
)

// A statement that deletes by a scan locks more than it deletes. MariaDB locks each
// row that it reads and the gaps between the rows, so that transactions of other keys
// wait. So rows to delete are found without locks, and then deleted by their key, a
// piece at a time. A row that another transaction has locked is passed over.

const (
	// purgePiece is how many tombstones are deleted in one transaction.
	purgePiece = 500
	// expirePiece is how many deliveries that no longer wait are removed at a time.
	expirePiece = 100
	// expireEvery is the least time between two looks for such, while others are noted.
	expireEvery = 10 * time.Second
)

// purgeStatements delete tombstones.
type purgeStatements struct {
	// find returns entities and keys behind one. Arguments: the time, entity and key;
	// on MariaDB the time, entity, key and entity.
	find string
	// lock is lockKeys without rows that another transaction has locked. It is
	// MariaDB's; the others need none.
	lock string
	// remove deletes rows that are tombstones still. Arguments: entity, keys and the
	// time; on MariaDB and SQLite the two %s are the entity and the list.
	remove string
}

func newPurgeStatements(d database.Dialect, table string) purgeStatements {
	const keys = "SELECT entity, entity_key FROM "
	order := fmt.Sprintf(" ORDER BY entity, entity_key LIMIT %d", purgePiece)
	switch d {
	case database.MariaDB:
		return purgeStatements{
			find: keys + table + " FORCE INDEX (PRIMARY) WHERE deleted AND applied_at < ? AND (entity = ? AND entity_key > ? OR entity > ?)" + order,
			lock: keysStatement(d, table, " FOR UPDATE SKIP LOCKED"),
			remove: fmt.Sprintf("DELETE FROM r USING JSON_TABLE('[%%[2]s]', '$[*]' COLUMNS (hex VARCHAR(%d) PATH '$')) AS k STRAIGHT_JOIN %s AS r FORCE INDEX (PRIMARY) "+
				"ON r.entity = %%[1]s AND r.entity_key = UNHEX(k.hex) WHERE r.deleted AND r.applied_at < %%[3]d", 2*MaxKey, escaped(table)),
		}
	case database.SQLite:
		return purgeStatements{
			find:   keys + table + " WHERE deleted AND applied_at < ? AND (entity, entity_key) > (?, ?)" + order,
			remove: "DELETE FROM " + escaped(table) + " WHERE entity = %[1]s AND entity_key IN (%[2]s) AND deleted AND applied_at < %[3]d",
		}
	default:
		return purgeStatements{
			find: keys + table + " WHERE deleted AND applied_at < $1 AND (entity, entity_key) > ($2::text, $3::bytea)" + order,
			remove: fmt.Sprintf("DELETE FROM %[1]s WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM unnest($2::text::bytea[]) AS k(key) "+
				"CROSS JOIN LATERAL (SELECT ctid FROM %[1]s WHERE entity = $1 AND entity_key = k.key AND deleted AND applied_at < $3 FOR UPDATE SKIP LOCKED) r))", table),
		}
	}
}

// Purge removes deliveries that no longer wait for a unique value (see Schema), and
// the tombstones of deletes that were applied longer than olderThan ago, and returns
// the number of tombstones. A change that is older than its delete and comes after
// the purge brings the row back permanently. So olderThan must exceed the longest
// time that a delivery can be late: how long a lane may be paused or behind, an
// outbox stand still, a dead letter wait for its redrive or workers be rewound; weeks
// rather than hours. Keeping tombstones costs about a hundred bytes each.
//
// Purge reads the table once, without locks, and deletes in transactions of at most
// 500 tombstones. It waits for no other transaction: a tombstone that another one has
// locked stays until the next Purge. After an error the number says how many
// tombstones are gone.
func (i *Inbox) Purge(ctx context.Context, db *sql.DB, olderThan time.Duration) (n int64, err error) {
	before := toNano(time.Now().Add(-olderThan))
	last := rowKey{}
	for {
		found, err := i.tombstones(ctx, db, before, last)
		if err != nil {
			return n, fmt.Errorf("inbox: purge: %w", err)
		}
		for part := range byEntity(found) {
			gone, err := i.purgeKeys(ctx, db, before, part)
			n += gone
			if err != nil {
				return n, fmt.Errorf("inbox: purge: %w", err)
			}
		}
		if len(found) < purgePiece {
			break
		}
		last = found[len(found)-1]
	}
	for {
		gone, err := i.expireWaiting(ctx, db, time.Now())
		if err != nil {
			return n, fmt.Errorf("inbox: purge: %w", err)
		}
		if gone < expirePiece {
			return n, nil
		}
	}
}

// tombstones are the first ones behind a row.
func (i *Inbox) tombstones(ctx context.Context, db *sql.DB, before int64, last rowKey) ([]rowKey, error) {
	args := []any{before, last.entity, []byte(last.key)}
	if i.cfg.Dialect == database.MariaDB {
		args = append(args, last.entity)
	}
	var found []rowKey
	err := database.Query(ctx, db, func(row database.Row) error {
		var entity string
		var key []byte
		err := row.Scan(&entity, &key)
		found = append(found, rowKey{entity, string(key)})
		return err
	}, i.sql.tombstones.find, args...)
	return found, err
}

// byEntity parts rows that are in their order.
func byEntity(rows []rowKey) func(yield func([]rowKey) bool) {
	return func(yield func([]rowKey) bool) {
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && rows[n].entity == rows[0].entity {
				n++
			}
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// purgeKeys deletes those rows of one entity that are tombstones still and that no
// other transaction has locked.
func (i *Inbox) purgeKeys(ctx context.Context, db *sql.DB, before int64, rows []rowKey) (n int64, err error) {
	entity, keys := rows[0].entity, make([]any, len(rows))
	for at, row := range rows {
		keys[at] = []byte(row.key)
	}
	err = i.inPiece(ctx, db, func(tx *sql.Tx) error {
		if i.sql.tombstones.lock != "" {
			free := map[rowKey]Stamp{}
			if err := i.stampsOf(ctx, tx, i.sql.tombstones.lock, entity, keys, free); err != nil {
				return err
			}
			if len(free) == 0 {
				return nil
			}
			unlocked := make([]any, 0, len(free))
			for row := range free {
				unlocked = append(unlocked, []byte(row.key))
			}
			statement, args := i.purgeStatement(entity, unlocked, before)
			n, err = affected(tx.ExecContext(ctx, statement, args...))
			return err
		}
		statement, args := i.purgeStatement(entity, keys, before)
		n, err = affected(tx.ExecContext(ctx, statement, args...))
		return err
	})
	return n, err
}

// affected is how many rows a statement has changed.
func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// inPiece runs a transaction of a few rows, each of whose statements sees what was
// committed before it.
func (i *Inbox) inPiece(ctx context.Context, db *sql.DB, run func(tx *sql.Tx) error) error {
	leave, err := i.writers.enter(ctx, i.cfg.Dialect, db)
	if err != nil {
		return err
	}
	defer leave()
	return database.InTransaction(ctx, db, i.readCommitted(), run)
}

func (i *Inbox) purgeStatement(entity string, keys []any, before int64) (statement string, args []any) {
	switch i.cfg.Dialect {
	case database.Postgres:
		array, _ := arrayText(keys) // they are bytes
		return i.sql.tombstones.remove, []any{entity, array, before}
	case database.MariaDB:
		name, _ := appendLiteral(nil, entity)
		return fmt.Sprintf(i.sql.tombstones.remove, name, literalKeys(keys), before), nil
	default:
		return fmt.Sprintf(i.sql.tombstones.remove, "?", i.cfg.Dialect.Parameters(2, len(keys)), before), append([]any{entity}, keys...)
	}
}

// expireWaiting removes some of the deliveries that no longer wait, and returns how
// many there were.
func (i *Inbox) expireWaiting(ctx context.Context, tx database.Tx, now time.Time) (found int, err error) {
	type place struct {
		target, entity string
		key            []byte
	}
	var all []place
	before := toNano(now.Add(-waitingLife))
	err = database.Query(ctx, tx, func(row database.Row) error {
		var p place
		err := row.Scan(&p.target, &p.entity, &p.key)
		all = append(all, p)
		return err
	}, i.waiting.expired, before)
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		if _, err := tx.ExecContext(ctx, i.waiting.expire, p.target, p.entity, p.key, before); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}
