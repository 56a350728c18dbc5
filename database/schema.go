package database

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Schema holds the statements, in order, that create the missing tables of a package.
// They may be run again. Services with migrations of their own can copy the
// statements from here.
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
// because IF NOT EXISTS fails there when two create the same table at once. On SQLite
// one that finds the file locked, as it is while another one turns write-ahead
// logging on, tries again.
func (s Schema) Migrate(ctx context.Context, db *sql.DB, d Dialect, name string) error {
	err := InTransaction(ctx, db, nil, func(tx *sql.Tx) error {
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
		return nil
	})
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	return nil
}
