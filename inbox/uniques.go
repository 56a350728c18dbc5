package inbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/database"
)

// uniqueIndex is a unique index of a table, or an exclusion constraint, beside the
// one of its key.
type uniqueIndex struct {
	name string
	// columns are those by which rows are told apart; of an expression those that it
	// reads, as far as they are known.
	columns []string
	// nullsMeet says that NULL does not keep two rows apart: by the index's
	// definition, or since it is on an expression.
	nullsMeet bool
	// lengths are MariaDB's prefixes of columns, 0 for a whole column.
	lengths []int
	// expressions and predicate are PostgreSQL's text of the index; no expressions
	// where rows are not told apart by equality.
	expressions []string
	predicate   string
}

const (
	// postgresUniques has a row for each column of each index. Columns of expressions
	// are known by what the index depends on.
	postgresUniques = `SELECT c.relname::text, i.indnullsnotdistinct OR i.indexprs IS NOT NULL,
	coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid, true), ''), i.indisunique AND NOT i.indisexclusion,
	ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n)::text[]::text,
	ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND (a.attnum = ANY (i.indkey)
		OR i.indexprs IS NOT NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
			AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum)) ORDER BY a.attnum)::text[]::text
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass($1::text) AND (i.indisunique OR i.indisexclusion) AND i.indislive ORDER BY c.oid`
	mariadbIndexes = `SELECT INDEX_NAME, COLUMN_NAME, COALESCE(SUB_PART, 0) FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`
	sqliteIndexes = `SELECT l.name, COALESCE(k.name, ''), COALESCE((SELECT s.sql FROM sqlite_schema s WHERE s.type = 'index' AND s.name = l.name), '')
FROM pragma_index_list(?, ?) l JOIN pragma_index_xinfo(l.name, ?) k WHERE l."unique" AND k."key" ORDER BY l.seq, k.seqno`
)

// readUniques asks the database for the unique indexes of a table, without those of
// its key alone.
func (t *Table) readUniques(ctx context.Context, tx database.Tx) ([]uniqueIndex, error) {
	var all []uniqueIndex
	var err error
	schema, name := any(nil), t.cfg.Table
	if before, after, ok := strings.Cut(t.cfg.Table, "."); ok {
		schema, name = before, after
	}
	switch t.inbox.cfg.Dialect {
	case database.Postgres:
		all, err = readPostgresUniques(ctx, tx, t.cfg.Table)
	case database.MariaDB:
		all, err = readMariaDBUniques(ctx, tx, schema, name)
	case database.SQLite:
		all, err = t.readSQLiteUniques(ctx, tx, schema, name)
	}
	if err != nil {
		return nil, fmt.Errorf("table %s: read its unique indexes from the catalog: %w", t.cfg.Table, err)
	}
	return slices.DeleteFunc(all, func(u uniqueIndex) bool {
		return len(u.columns) == 1 && sameName(t.inbox.cfg.Dialect, u.columns[0], t.cfg.Key)
	}), nil
}

func readPostgresUniques(ctx context.Context, tx database.Tx, table string) ([]uniqueIndex, error) {
	path, err := database.Postgres.QuotePath(table)
	if err != nil {
		return nil, err
	}
	var all []uniqueIndex
	err = database.Query(ctx, tx, func(row database.Row) error {
		var u uniqueIndex
		var byEquality bool
		var expressions, columns string
		if err := row.Scan(&u.name, &u.nullsMeet, &u.predicate, &byEquality, &expressions, &columns); err != nil {
			return err
		}
		u.columns = arrayValues(columns)
		if byEquality {
			u.expressions = arrayValues(expressions)
		}
		all = append(all, u)
		return nil
	}, postgresUniques, path)
	return all, err
}

// arrayValues are the values of a PostgreSQL array of texts that are no NULL.
func arrayValues(array string) []string {
	var all []string
	var value strings.Builder
	quoted, some := false, false
	for i := 1; i < len(array)-1; i++ {
		switch c := array[i]; {
		case c == '\\' && quoted:
			i++
			value.WriteByte(array[i])
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			all = append(all, value.String())
			value.Reset()
		default:
			value.WriteByte(c)
		}
		some = true
	}
	if some {
		all = append(all, value.String())
	}
	return all
}

func readMariaDBUniques(ctx context.Context, tx database.Tx, schema any, table string) ([]uniqueIndex, error) {
	var all []uniqueIndex
	err := database.Query(ctx, tx, func(row database.Row) error {
		var name, column string
		var length int
		if err := row.Scan(&name, &column, &length); err != nil {
			return err
		}
		u := indexNamed(&all, name)
		u.columns, u.lengths = append(u.columns, column), append(u.lengths, length)
		return nil
	}, mariadbIndexes, schema, table)
	return all, err
}

func (t *Table) readSQLiteUniques(ctx context.Context, tx database.Tx, schema any, table string) ([]uniqueIndex, error) {
	var all []uniqueIndex
	err := database.Query(ctx, tx, func(row database.Row) error {
		var name, column, definition string
		if err := row.Scan(&name, &column, &definition); err != nil {
			return err
		}
		u := indexNamed(&all, name)
		if column != "" {
			u.columns = append(u.columns, column)
			return nil
		}
		// An expression: it reads columns whose names stand in the statement.
		u.nullsMeet = true
		for _, c := range t.columns {
			if strings.Contains(strings.ToLower(definition), strings.ToLower(c.Name)) {
				u.columns = append(u.columns, c.Name)
			}
		}
		return nil
	}, sqliteIndexes, table, schema, schema)
	return all, err
}

// indexNamed is the last of all if it has the name, or else a new one.
func indexNamed(all *[]uniqueIndex, name string) *uniqueIndex {
	if n := len(*all); n == 0 || (*all)[n-1].name != name {
		*all = append(*all, uniqueIndex{name: name})
	}
	return &(*all)[len(*all)-1]
}
