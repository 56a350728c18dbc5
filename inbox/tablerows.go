package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
)

// manyStatement is what stands before and behind the rows of an upsert. MariaDB's
// would also write over a row that has another unique value in common, so it serves
// tables without such only. Where the table has got such an index since its catalog was
// read, the statement fails at the first row of another key.
func manyStatement(d database.Dialect, table string, names []string) (into, replace string) {
	into = fmt.Sprintf("INSERT INTO %s (%s) ", table, strings.Join(names, ", "))
	if d != database.MariaDB {
		return into, " " + onConflict(names)
	}
	sets := make([]string, 0, len(names))
	sets = append(sets, onlySameKey(names[0], names[1]))
	for _, name := range names[1:] {
		sets = append(sets, name+" = VALUES("+name+")")
	}
	return mariadbStrict + into, " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
}

// onlySameKey is an assignment in MariaDB's upsert that fails where the row that is
// there has another key than the new one: its subquery has two rows. It leaves the
// column as it is, and the assignment of the new value follows: in one expression with
// something else, the value could become one of another type.
func onlySameKey(key, column string) string {
	return fmt.Sprintf("%[2]s = IF(IF(BINARY %[1]s <=> BINARY VALUES(%[1]s), 1, (SELECT 1 UNION ALL SELECT 2)), %[2]s, %[2]s)", key, column)
}

// inserting has an INSERT of SQLite end with an error where a row breaks a constraint,
// if the table's own clauses may say otherwise: UNIQUE ON CONFLICT REPLACE deletes
// another row in silence, IGNORE leaves the new one out. In other tables the statement
// must not say so, since its word also counts for the statements of the table's triggers.
func (t *Table) inserting(statement string) string {
	if !t.clauses.Load() {
		return statement
	}
	return strings.Replace(statement, "INSERT INTO", "INSERT OR ABORT INTO", 1)
}

// removeKeysStatement looks each key up. For a list of keys MariaDB would read a small
// table whole, and wait for each row that another transaction has locked; it deletes
// what it finds by an index instead, for keys of the column's own type.
func removeKeysStatement(d database.Dialect, table, key string) string {
	switch d {
	case database.MariaDB:
		return mariadbStrict + fmt.Sprintf("DELETE r FROM (SELECT %[2]s AS found FROM %[1]s WHERE FALSE UNION ALL VALUES %%[2]s) AS k "+
			"STRAIGHT_JOIN %[1]s AS r FORCE INDEX (%%[1]s) ON r.%[2]s = k.found", escaped(table), escaped(key))
	case database.SQLite:
		return fmt.Sprintf("DELETE FROM %s WHERE %s COLLATE BINARY IN (", escaped(table), escaped(key)) + "%s)"
	default:
		// As in keysStatement; a row that is locked stays where it is.
		return fmt.Sprintf("DELETE FROM %[1]s WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM unnest($1::text::text[]) AS k(key)"+
			" CROSS JOIN LATERAL (SELECT ctid FROM %[1]s WHERE %[2]s = k.key::", escaped(table), escaped(key)) + "%s FOR UPDATE) r))"
	}
}

// upsertRows writes rows of different keys, whose inbox rows are locked.
func (t *Table) upsertRows(ctx context.Context, tx *sql.Tx, s *shape, rows [][]any) error {
	d := t.inbox.cfg.Dialect
	if d == database.MariaDB && s.otherUnique {
		return t.upsertEach(ctx, tx, rows)
	}
	casts := s.casts()
	return inChunks(d, rows, len(casts), func(part [][]any) error {
		source, args, ok := rowSource(d, casts, part)
		if d == database.MariaDB {
			if literals, certain := literalRows(part); certain {
				source, args = "VALUES "+literals, nil
			}
		}
		if !ok {
			return t.upsertEach(ctx, tx, part)
		}
		_, err := tx.ExecContext(ctx, t.inserting(t.into+source+t.replace), args...)
		if err == nil || d != database.MariaDB || database.Classify(err) != database.Unknown {
			return err
		}
		return t.upsertAfter(ctx, tx, part, err)
	})
}

// upsertAfter writes rows of which MariaDB took the upsert back because of err, if that
// may have come from [onlySameKey].
func (t *Table) upsertAfter(ctx context.Context, tx *sql.Tx, rows [][]any, err error) error {
	now, unread := t.readShape(ctx, tx)
	switch {
	case unread != nil:
		return errors.Join(err, unread)
	case !now.otherUnique:
		return err
	default:
		return t.upsertEach(ctx, tx, rows)
	}
}

func (t *Table) upsertEach(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	for _, row := range rows {
		if err := t.upsert(ctx, tx, row); err != nil {
			return err
		}
	}
	return nil
}

// removeRows deletes rows; each has its key alone.
func (t *Table) removeRows(ctx context.Context, tx *sql.Tx, s *shape, rows [][]any) error {
	d := t.inbox.cfg.Dialect
	return inChunks(d, rows, 1, func(part [][]any) error {
		keys := make([]any, len(part))
		for i, row := range part {
			keys[i] = row[0]
		}
		rest, args, ok := []any{d.Parameters(1, len(keys))}, keys, true
		switch d {
		case database.Postgres:
			var array string
			array, ok = arrayText(keys)
			rest, args = []any{s.key.castName}, []any{array}
		case database.MariaDB:
			var list string
			list, ok = literalRows(part)
			index, err := d.Quote(s.keyIndex)
			rest, args, ok = []any{index, list}, nil, ok && err == nil
		case database.SQLite:
		}
		if !ok {
			return t.removeEach(ctx, tx, part)
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf(t.removeKeys, rest...), args...)
		return err
	})
}

func (t *Table) removeEach(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	for _, row := range rows {
		if _, err := tx.ExecContext(ctx, t.remove, row...); err != nil {
			return err
		}
	}
	return nil
}
