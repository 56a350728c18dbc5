package audit

import (
	"context"
	"database/sql"
	"fmt"
)

// Effect is one that a service made; they come in the order in which those of
// one key were made.
type Effect struct {
	ID, Key string
	// Epoch and Seq are the position that it came with; none of one that was only
	// published.
	Epoch, Seq uint64
}

// Replica is what a service has and how it came to that.
type Replica struct {
	Service string
	Rows    map[string]string
	Effects []Effect
	// Handlings are what its instances did.
	Handlings []Handling
	// Ordered says that the service was promised the order of each key.
	Ordered bool
	// DeletesUnseen says that deletes leave no effect.
	DeletesUnseen bool
	// Partition places a key, where Ordered.
	Partition func(key string) int
}

// ReadReplica reads a service's database.
func ReadReplica(ctx context.Context, db *sql.DB, service string) (*Replica, error) {
	r := &Replica{Service: service}
	var err error
	if r.Rows, err = readRows(ctx, db, `SELECT id, row FROM replica`); err != nil {
		return nil, fmt.Errorf("read the replica of %s: %w", service, err)
	}
	// The number is drawn while the key's row is locked, so it tells the order.
	err = each(ctx, db, `SELECT event_id, key, epoch, seq FROM effects ORDER BY n`, func(scan func(...any) error) error {
		var e Effect
		err := scan(&e.ID, &e.Key, &e.Epoch, &e.Seq)
		r.Effects = append(r.Effects, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the effects of %s: %w", service, err)
	}
	return r, nil
}
