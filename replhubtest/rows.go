package replhubtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// SQL reads the rows of a query, for Converged: the first column is the key, and
// all columns are the row, by their names. Text that the driver gives as bytes is
// text.
func SQL(db *sql.DB, query string, args ...any) Rows[map[string]any] {
	return func(ctx context.Context) (_ map[string]map[string]any, err error) {
		rows, err := db.QueryContext(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		names, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		found := make(map[string]map[string]any)
		for rows.Next() {
			key, row, err := scanRow(rows, names)
			if err != nil {
				return nil, err
			}
			if _, twice := found[key]; twice {
				return nil, fmt.Errorf("key %q: found twice", key)
			}
			found[key] = row
		}
		return found, rows.Err()
	}
}

func scanRow(rows *sql.Rows, names []string) (key string, row map[string]any, err error) {
	values := make([]any, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return "", nil, err
	}
	row = make(map[string]any, len(names))
	for i, name := range names {
		if text, ok := values[i].([]byte); ok {
			values[i] = string(text)
		}
		row[name] = values[i]
	}
	return fmt.Sprint(values[0]), row, nil
}
