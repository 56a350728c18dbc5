package audit

import (
	"context"
	"database/sql"
	"fmt"
)

// ReadHandlings reads what a service's instances noted in the table they share,
// in the order in which the handlers began. Its times are the database's, on the
// same machine. A handler that has not ended did so when its process was gone,
// as given by instance.
func ReadHandlings(ctx context.Context, db *sql.DB, gone map[string]int64) ([]Handling, error) {
	var all []Handling
	err := each(ctx, db, `SELECT instance, key, epoch, seq, (extract(epoch FROM begun) * 1000000)::bigint * 1000,
		(extract(epoch FROM ended) * 1000000)::bigint * 1000, outcome FROM handlings ORDER BY n`,
		func(scan func(...any) error) error {
			var h Handling
			var ended sql.NullInt64
			var outcome sql.NullString
			if err := scan(&h.Instance, &h.Key, &h.Epoch, &h.Seq, &h.Begin, &ended, &outcome); err != nil {
				return err
			}
			h.End, h.Outcome = ended.Int64, outcome.String
			if !ended.Valid {
				h.End, h.Outcome = gone[h.Instance], Cut
			}
			all = append(all, h)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read handlings: %w", err)
	}
	return all, nil
}
