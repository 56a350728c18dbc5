package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub"
)

// rows yields users behind an id as they are now, for a service that registers
// with StartSnapshot. It is called again for those behind the last one. A row has
// the version of its newest change, whose event may still be in the outbox.
func (s *service) rows(ctx context.Context, after string, yield func(replhub.Event) error) (err error) {
	rows, err := s.db.QueryContext(ctx,
		`SELECT id, tenant, name, email, password_hash, COALESCE((generation << 44) + version, 0)
		FROM users CROSS JOIN replhub_outbox_generation LEFT JOIN replhub_outbox_versions ON entity = 'user' AND entity_key = id
		WHERE id > $1 ORDER BY id LIMIT 1000`, after)
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u user
		var version int64
		if err := rows.Scan(&u.ID, &u.Tenant, &u.Name, &u.Profile.Email, &u.PasswordHash, &version); err != nil {
			return fmt.Errorf("read a user: %w", err)
		}
		data, err := u.json()
		if err != nil {
			return err
		}
		if err := yield(replhub.Event{Key: u.ID, Version: version, Data: data}); err != nil {
			return err
		}
	}
	return rows.Err()
}
