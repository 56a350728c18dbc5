package inbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/database"
)

// catalog is what a database says of a table.
type catalog struct {
	// columns is empty where there is no such table.
	columns []catalogColumn
	// others are names of tables that there are instead, some of many.
	others []string
	// problems are what keeps the table, or the session, from being used at all.
	problems []string
	// uniques are the columns of the unique indexes, an index each, in MariaDB.
	uniques []string
	// clauses says that constraints of SQLite's table may have an ON CONFLICT clause.
	clauses bool
}

// otherUnique reports whether rows may meet in a value that is not the key.
func (c catalog) otherUnique(key string) bool {
	return slices.ContainsFunc(c.uniques, func(columns string) bool { return !strings.EqualFold(columns, key) })
}

// catalogColumn is what a database says of a column.
type catalogColumn struct {
	name string
	// typeName is the type in the database's words.
	typeName string
	// castName is what text is cast to for the column, on PostgreSQL: its type
	// without a length, which a cast would cut text to in silence.
	castName string
	rule     rule
	// notNull, hasDefault and generated are as the column's definition says;
	// hasDefault also holds for columns that number themselves.
	notNull, hasDefault, generated bool
	// unique says that no two rows have the same value, by an index that an upsert
	// can go by.
	unique bool
	// primary says that the column is in the primary key, alone or not.
	primary bool
	// index is the name of that index, in MariaDB, for types whose values can be listed.
	index string
	// blurs says why the column takes different keys for one; empty where it does
	// not.
	blurs string
	// distinct is the type that the column should have instead, as in a statement.
	distinct string
}

// readCatalog asks the database for a table's columns.
func readCatalog(ctx context.Context, tx database.Tx, d database.Dialect, table string) (catalog, error) {
	schema, name := "", table
	if before, after, ok := strings.Cut(table, "."); ok {
		schema, name = before, after
	}
	var c catalog
	var err error
	switch d {
	case database.Postgres:
		c, err = readPostgres(ctx, tx, table)
	case database.MariaDB:
		c, err = readMariaDB(ctx, tx, schema, name)
	case database.SQLite:
		c, err = readSQLite(ctx, tx, schema, name)
	}
	if err != nil {
		return catalog{}, fmt.Errorf("table %s: read its columns from the catalog: %w", table, err)
	}
	return c, nil
}

// names runs a query of one text column.
func names(ctx context.Context, tx database.Tx, query string, args ...any) ([]string, error) {
	var all []string
	err := database.Query(ctx, tx, func(row database.Row) error {
		var name string
		if err := row.Scan(&name); err != nil {
			return err
		}
		all = append(all, name)
		return nil
	}, query, args...)
	return all, err
}

// notUnique is what mends a key column that is not unique.
func notUnique(d database.Dialect, table, column string) string {
	if d == database.SQLite {
		return fmt.Sprintf("CREATE UNIQUE INDEX replica_key ON %s (%s COLLATE BINARY)", table, column)
	}
	return fmt.Sprintf("ALTER TABLE %s ADD UNIQUE (%s)", table, column)
}

// retyped is what gives a key column the type that tells keys apart.
func retyped(d database.Dialect, table, column, to string) string {
	switch d {
	case database.Postgres:
		return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s", table, column, to)
	case database.MariaDB:
		return fmt.Sprintf("ALTER TABLE %s MODIFY %s %s NOT NULL", table, column, to)
	default:
		return fmt.Sprintf("create the table again with %s %s PRIMARY KEY and copy its rows", column, to)
	}
}
