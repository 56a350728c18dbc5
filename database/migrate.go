package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Migrate brings the tables of a Schema up to date: it creates missing tables, adds
// missing columns and indexes to existing ones, and runs the other statements. It
// reads the database's catalog first. So if nothing is missing, it waits for no other
// transaction. It changes no existing column and removes nothing, so that an older
// version of the program can work beside a newer one: the new columns then get their
// defaults.
//
// Any number of instances may call Migrate at the same time. A missing column or index
// is added when no open transaction has used the table. After ten attempts of a second
// each, Migrate returns the error, an [ErrConflict] or an error of the class [Conflict],
// and may be called again. On SQLite it also tries again if the file is locked, as it is
// while another instance turns write-ahead logging on.
func (s Schema) Migrate(ctx context.Context, db *sql.DB, d Dialect, name string) error {
	var options *sql.TxOptions
	if d == MariaDB {
		// The next level would lock what the statements read.
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	err := InTransaction(ctx, db, options, func(tx *sql.Tx) error {
		if d == Postgres {
			// IF NOT EXISTS fails if two instances create the same table at once.
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext($1))", name); err != nil {
				return fmt.Errorf("lock: %w", err)
			}
		}
		return s.migrate(ctx, tx, d)
	})
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	return nil
}

func (s Schema) migrate(ctx context.Context, tx *sql.Tx, d Dialect) error {
	for _, statement := range s {
		due, err := pending(ctx, tx, d, parseStatement(statement))
		if err != nil {
			return fmt.Errorf("read the present tables for %s: %w", firstLine(statement), err)
		}
		for _, one := range due {
			if _, err := tx.ExecContext(ctx, one); err != nil {
				return fmt.Errorf("%s: %w", firstLine(one), err)
			}
		}
	}
	return nil
}

func firstLine(statement string) string {
	first, _, _ := strings.Cut(statement, "\n")
	return first
}

// pending returns the statements that create the missing parts of what a statement of a
// Schema defines.
func pending(ctx context.Context, tx *sql.Tx, d Dialect, s statement) ([]string, error) {
	if s.table.path == "" {
		return []string{s.text}, nil
	}
	columns, err := names(ctx, tx, d, s.table, columnsOf)
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 {
		return []string{s.text}, nil // there is no such table
	}
	var due []string
	for _, column := range s.columns {
		if !contains(columns, column.name) {
			due = append(due, added(d, "COLUMN", column.definition))
		}
	}
	if len(s.indexes) > 0 {
		indexes, err := names(ctx, tx, d, s.table, indexesOf)
		if err != nil {
			return nil, err
		}
		for _, index := range s.indexes {
			switch {
			case contains(indexes, index.name):
			case index.definition != "": // within CREATE TABLE
				_, rest := identifier(index.definition)
				due = append(due, added(d, "INDEX", strings.TrimSpace(rest)))
			default:
				return bounded(d, s.text), nil
			}
		}
	}
	for n := range due {
		wait := " "
		if d == MariaDB {
			wait = " WAIT 1 "
		}
		due[n] = "ALTER TABLE " + s.table.path + wait + due[n]
	}
	return bounded(d, due...), nil
}

// added is the part of ALTER TABLE that adds a column or an index. On MariaDB several
// instances may migrate at once, hence IF NOT EXISTS.
func added(d Dialect, what, definition string) string {
	if d == MariaDB {
		what += " IF NOT EXISTS"
	}
	return "ADD " + what + " " + definition
}

// bounded limits PostgreSQL's wait for the lock of an existing table to a second: while
// a statement waits for the lock, all other statements on the table wait behind it. The
// statements for MariaDB contain their own limit, and SQLite has a timeout for the file.
func bounded(d Dialect, due ...string) []string {
	if d != Postgres || len(due) == 0 {
		return due
	}
	return append([]string{"SET LOCAL lock_timeout = '1s'"}, due...)
}

// contains reports whether a list has a name, in any case: the names of a Schema are
// lower case.
func contains(list []string, name string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, name) })
}

// lookup is a query of the catalog, for each dialect.
type lookup [3]string

// Arguments: on PostgreSQL the table's path as it is written, else the table's name; and
// its schema or NULL. A table without a schema is looked up where CREATE TABLE would
// create it. PostgreSQL's search path may have a table of the name in another schema,
// which belongs to somebody else.
//
//nolint:gochecknoglobals // constants
var (
	columnsOf = lookup{
		Postgres: "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass(CASE WHEN $2::text IS NULL THEN quote_ident(current_schema()) || '.' ELSE '' END || $1::text) AND attnum > 0 AND NOT attisdropped",
		MariaDB:  "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_NAME = ? AND TABLE_SCHEMA = COALESCE(?, DATABASE())",
		SQLite:   "SELECT name FROM pragma_table_info(?, ?)",
	}
	indexesOf = lookup{
		Postgres: "SELECT c.relname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass(CASE WHEN $2::text IS NULL THEN quote_ident(current_schema()) || '.' ELSE '' END || $1::text)",
		MariaDB:  "SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_NAME = ? AND TABLE_SCHEMA = COALESCE(?, DATABASE())",
		SQLite:   "SELECT name FROM pragma_index_list(?, ?)",
	}
)

func names(ctx context.Context, tx *sql.Tx, d Dialect, table tableName, ask lookup) ([]string, error) {
	args := []any{table.name, table.schema}
	if d == Postgres {
		args[0] = table.path
	}
	var all []string
	err := Query(ctx, tx, func(row Row) error {
		var name string
		err := row.Scan(&name)
		all = append(all, name)
		return err
	}, ask[d], args...)
	return all, err
}
