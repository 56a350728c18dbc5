package inbox

import (
	"context"
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
)

// A STRICT table has a word for it in its statement; pragma_table_list tells, but
// only since SQLite 3.37, which was the first with STRICT tables.
const (
	sqliteColumns = `SELECT name, type, "notnull" <> 0, dflt_value IS NOT NULL, hidden IN (2, 3), pk FROM pragma_table_xinfo(?, ?) ORDER BY cid`
	sqliteUnique  = `SELECT k.name FROM pragma_index_list(?, ?) l JOIN pragma_index_xinfo(l.name, ?) k
WHERE l."unique" AND NOT l.partial AND k."key" AND k.name IS NOT NULL AND k.coll = 'BINARY'
	AND (SELECT count(*) FROM pragma_index_xinfo(l.name, ?) o WHERE o."key") = 1`
	sqliteOther = `SELECT k.name FROM pragma_index_list(?, ?) l JOIN pragma_index_xinfo(l.name, ?) k
WHERE l."unique" AND k."key" AND k.name IS NOT NULL AND k.coll <> 'BINARY'`
	sqliteStrict = `SELECT name FROM pragma_table_list WHERE strict AND name = ? COLLATE NOCASE AND schema = COALESCE(?, schema) COLLATE NOCASE`
	sqliteTables = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY 1 LIMIT 10`
)

func readSQLite(ctx context.Context, tx database.Tx, schema, table string) (catalog, error) {
	var within any // NULL is where SQLite finds the table by itself
	if schema != "" {
		within = schema
	}
	strict, err := names(ctx, tx, sqliteStrict, table, within)
	if err != nil && !strings.Contains(err.Error(), "pragma_table_list") {
		return catalog{}, err
	}
	var c catalog
	rowid, keys := "", 0
	err = database.Query(ctx, tx, func(row database.Row) error {
		var col catalogColumn
		var key int
		if err := row.Scan(&col.name, &col.typeName, &col.notNull, &col.hasDefault, &col.generated, &key); err != nil {
			return err
		}
		if key > 0 {
			keys++
			col.primary = true
		}
		r := sqliteRule{affinity: affinityOf(col.typeName, len(strict) > 0), strict: len(strict) > 0}
		if key == 1 && strings.EqualFold(col.typeName, "INTEGER") {
			// An alias of the rowid: it holds integers alone, and NULL for it is the
			// next number.
			rowid, col.hasDefault, col.notNull, r.strict = col.name, true, true, true
		}
		r.json = r.affinity == affinityNumeric && strings.HasPrefix(strings.ToUpper(col.typeName), "JSON")
		col.rule, col.distinct = r, "TEXT COLLATE BINARY"
		if r.affinity == affinityReal || r.json {
			col.blurs = "the type has several texts for one value"
		}
		c.columns = append(c.columns, col)
		return nil
	}, sqliteColumns, table, within)
	if err != nil {
		return catalog{}, err
	}
	if len(c.columns) == 0 {
		c.others, err = names(ctx, tx, sqliteTables)
		return c, err
	}
	if c.clauses, err = hasClauses(ctx, tx, schema, table); err != nil {
		return catalog{}, err
	}
	return c, markSQLiteKeys(ctx, tx, c.columns, within, table, rowid, keys)
}

// hasClauses reports whether the word of the clause is anywhere in the table's statement.
func hasClauses(ctx context.Context, tx database.Tx, schema, table string) (bool, error) {
	all, err := database.SQLite.QuotePath(strings.TrimPrefix(schema+".sqlite_schema", "."))
	if err != nil {
		return false, err
	}
	found, err := names(ctx, tx, "SELECT name FROM "+all+" WHERE name = ? COLLATE NOCASE AND sql LIKE '%CONFLICT%'", table)
	return len(found) > 0, err
}

// markSQLiteKeys marks the columns that are unique, and those whose index has a
// collation that takes different keys for one.
func markSQLiteKeys(ctx context.Context, tx database.Tx, columns []catalogColumn, schema any, table, rowid string, keys int) error {
	unique, err := names(ctx, tx, sqliteUnique, table, schema, schema, schema)
	if err != nil {
		return err
	}
	blurred, err := names(ctx, tx, sqliteOther, table, schema, schema)
	if err != nil {
		return err
	}
	if keys == 1 && rowid != "" {
		unique = append(unique, rowid)
	}
	for n := range columns {
		col := &columns[n]
		col.unique = containsFold(unique, col.name)
		if !col.unique && containsFold(blurred, col.name) {
			col.unique = true
			col.blurs = fmt.Sprintf("the collation of its index takes keys that differ in case, or in blanks at their end, for one (column %s)", col.name)
		}
	}
	return nil
}

func containsFold(all []string, name string) bool {
	for _, one := range all {
		if strings.EqualFold(one, name) {
			return true
		}
	}
	return false
}
