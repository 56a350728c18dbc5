package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Change is one that the source committed.
type Change struct {
	ID, Key string
	// N counts the changes of its key, from 1.
	N int64
	// Deleted says that it closed the account.
	Deleted bool
}

// Source is what the bank has and how it came to that.
type Source struct {
	// Changes are by event id.
	Changes map[string]Change
	// Rows is, by service and key, the row that the service's replica is to have.
	Rows map[string]map[string]string
}

// projections are what each service is to have of an account, as it writes it.
func projections() map[string]string {
	return map[string]string{
		"ledger": `SELECT id, 'change ' || change || ', balance ' || balance FROM accounts`,
		"cards":  `SELECT id, 'change ' || change || ', city ' || city FROM accounts`,
	}
}

// ReadSource reads the bank's database.
func ReadSource(ctx context.Context, db *sql.DB) (*Source, error) {
	s := &Source{Changes: make(map[string]Change), Rows: make(map[string]map[string]string)}
	err := each(ctx, db, `SELECT event_id, key, n, op = 'delete' FROM changes`, func(scan func(...any) error) error {
		var c Change
		err := scan(&c.ID, &c.Key, &c.N, &c.Deleted)
		s.Changes[c.ID] = c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	for service, query := range projections() {
		if s.Rows[service], err = readRows(ctx, db, query); err != nil {
			return nil, fmt.Errorf("project accounts for %s: %w", service, err)
		}
	}
	return s, nil
}

// readRows reads texts by key.
func readRows(ctx context.Context, db *sql.DB, query string) (map[string]string, error) {
	rows := make(map[string]string)
	err := each(ctx, db, query, func(scan func(...any) error) error {
		var key, row string
		err := scan(&key, &row)
		rows[key] = row
		return err
	})
	return rows, err
}

// each calls read for each row of a query.
func each(ctx context.Context, db *sql.DB, query string, read func(scan func(...any) error) error) (err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
