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
	// columns are those by which rows are told apart; of an expression or a generated
	// column those that it reads, as far as they are known.
	columns []string
	// nullsMeet says that NULL does not keep two rows apart: by the index's
	// definition, or since it is on an expression.
	nullsMeet bool
	// mariadb are the parts of MariaDB's index.
	mariadb []mariadbPart
	// expressions and predicate are PostgreSQL's text of the index; no expressions
	// where rows are not told apart by equality.
	expressions []string
	predicate   string
}

const (
	// postgresUniques has a row for each index. Columns of expressions are known by what
	// the index depends on, and those of generated columns by what their definitions do.
	postgresUniques = `SELECT c.relname::text, i.indnullsnotdistinct OR i.indexprs IS NOT NULL OR
		EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND a.attgenerated <> ''),
	coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid, true), ''), i.indisunique AND NOT i.indisexclusion,
	ARRAY(SELECT coalesce((SELECT '(' || pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) || ')' FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a
			ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = i.indrelid AND d.adnum = i.indkey[n - 1] AND a.attgenerated <> ''),
		pg_catalog.pg_get_indexdef(i.indexrelid, n, true)) FROM generate_series(1, i.indnkeyatts) n)::text[]::text,
	ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND (a.attnum = ANY (i.indkey) AND a.attgenerated = ''
		OR EXISTS (SELECT 1 FROM pg_catalog.pg_attrdef g JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = g.oid
			JOIN pg_catalog.pg_attribute b ON b.attrelid = g.adrelid AND b.attnum = g.adnum AND b.attgenerated <> ''
			WHERE g.adrelid = i.indrelid AND g.adnum = ANY (i.indkey) AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
			AND d.refobjsubid = a.attnum AND d.refobjsubid <> g.adnum)
		OR i.indexprs IS NOT NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
			AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum)) ORDER BY a.attnum)::text[]::text
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass($1::text) AND (i.indisunique OR i.indisexclusion) AND i.indislive ORDER BY c.oid`
	mariadbIndexes = `SELECT s.INDEX_NAME, s.COLUMN_NAME, COALESCE(s.SUB_PART, 0), COALESCE(c.GENERATION_EXPRESSION, '') FROM information_schema.STATISTICS s
LEFT JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME AND c.COLUMN_NAME = s.COLUMN_NAME
WHERE s.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND s.TABLE_NAME = ? AND s.NON_UNIQUE = 0 ORDER BY s.INDEX_NAME, s.SEQ_IN_INDEX`
	// sqliteIndexes has the statement of the index, or for a generated column that of
	// the table.
	sqliteIndexes = `SELECT l.name, COALESCE(k.name, ''), COALESCE((SELECT s.sql FROM sqlite_schema s WHERE s.type = 'index' AND s.name = l.name), ''),
COALESCE((SELECT s.sql FROM sqlite_schema s, pragma_table_xinfo(?, ?) x WHERE s.type = 'table' AND s.name = ? COLLATE NOCASE AND x.name = k.name AND x.hidden IN (2, 3)), '')
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
		all, err = t.readMariaDBUniques(ctx, tx, schema, name)
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

// mariadbPart is a column of an index: the length of its prefix, 0 for a whole column,
// and its expression where it is generated.
type mariadbPart struct {
	column    string
	length    int
	generated string
}

// columnsIn are the table's mapped columns whose names stand in an expression.
func (t *Table) columnsIn(expression string) []string {
	var all []string
	for _, c := range t.columns {
		if strings.Contains(strings.ToLower(expression), strings.ToLower(c.Name)) {
			all = append(all, c.Name)
		}
	}
	return all
}

// generatedBy is the expression of a generated column in SQLite's CREATE TABLE, or the
// whole statement where it is not found.
func generatedBy(table, column string) string {
	lower, name := strings.ToLower(table), strings.ToLower(column)
	for at := strings.Index(lower, name); at >= 0; {
		rest := lower[at+len(name):]
		item, _, _ := strings.Cut(rest, ",")
		if _, expression, found := strings.Cut(item, " as "); found {
			return expression + rest[len(item):][:closing(rest[len(item):])]
		}
		next := strings.Index(rest, name)
		if next < 0 {
			break
		}
		at += len(name) + next
	}
	return table
}

// closing is how much of a text belongs to an expression that has begun before it; what
// follows is the next column.
func closing(text string) int {
	depth := 0
	for n, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 {
			return n
		}
	}
	return 0
}

func (t *Table) readMariaDBUniques(ctx context.Context, tx database.Tx, schema any, table string) ([]uniqueIndex, error) {
	var all []uniqueIndex
	err := database.Query(ctx, tx, func(row database.Row) error {
		var name string
		var part mariadbPart
		if err := row.Scan(&name, &part.column, &part.length, &part.generated); err != nil {
			return err
		}
		u := indexNamed(&all, name)
		u.mariadb = append(u.mariadb, part)
		if part.generated == "" {
			u.columns = append(u.columns, part.column)
			return nil
		}
		u.nullsMeet = true
		u.columns = append(u.columns, t.columnsIn(part.generated)...)
		return nil
	}, mariadbIndexes, schema, table)
	return all, err
}

func (t *Table) readSQLiteUniques(ctx context.Context, tx database.Tx, schema any, table string) ([]uniqueIndex, error) {
	var all []uniqueIndex
	err := database.Query(ctx, tx, func(row database.Row) error {
		var name, column, definition, generated string
		if err := row.Scan(&name, &column, &definition, &generated); err != nil {
			return err
		}
		u := indexNamed(&all, name)
		switch {
		case generated != "":
			definition = generatedBy(generated, column)
		case column != "":
			u.columns = append(u.columns, column)
			return nil
		}
		// An expression: it reads columns whose names stand in the statement.
		u.nullsMeet = true
		u.columns = append(u.columns, t.columnsIn(definition)...)
		return nil
	}, sqliteIndexes, table, schema, table, table, schema, schema)
	return all, err
}

// indexNamed is the last of all if it has the name, or else a new one.
func indexNamed(all *[]uniqueIndex, name string) *uniqueIndex {
	if n := len(*all); n == 0 || (*all)[n-1].name != name {
		*all = append(*all, uniqueIndex{name: name})
	}
	return &(*all)[len(*all)-1]
}
