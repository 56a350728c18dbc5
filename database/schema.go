package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Schema is the statements that create what is missing of a package's tables, in
// order. They may be run again. Services that keep migrations of their own take
// the statements from here.
type Schema []string

// String is the statements as one script.
func (s Schema) String() string {
	if len(s) == 0 {
		return ""
	}
	return strings.Join(s, ";\n\n") + ";\n"
}

// Migrate runs the statements in one transaction. Any number of instances may do
// so at the same time: on PostgreSQL they take turns by an advisory lock on name,
// because IF NOT EXISTS fails there when two create the same table at once.
func (s Schema) Migrate(ctx context.Context, db *sql.DB, d Dialect, name string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate %s: %w", name, err)
		}
	}()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if rollbackErr := tx.Rollback(); !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = errors.Join(err, rollbackErr)
		}
	}()
	if d == Postgres {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext($1))", name); err != nil {
			return fmt.Errorf("lock: %w", err)
		}
	}
	for _, statement := range s {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			first, _, _ := strings.Cut(statement, "\n")
			return fmt.Errorf("%s: %w", first, err)
		}
	}
	return tx.Commit()
}
