package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
)

// manyStatement is what stands before and behind the rows of an upsert. MariaDB's
// also writes over a row that has another unique value in common, so it serves
// tables without such only.
func manyStatement(d database.Dialect, table string, names []string) (into, replace string) {
	into = fmt.Sprintf("INSERT INTO %s (%s) ", table, strings.Join(names, ", "))
	if d != database.MariaDB {
		return into, " " + onConflict(names)
	}
	sets := make([]string, len(names)-1)
	for i, name := range names[1:] {
		sets[i] = name + " = VALUES(" + name + ")"
	}
	return mariadbStrict + into, " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
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
		_, err := tx.ExecContext(ctx, t.into+source+t.replace, args...)
		return err
	})
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
