package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub"
)

// rows yields users behind an id as they are now, for a service that registers
// with StartSnapshot. It is called again for those behind the last one.
func (s *service) rows(ctx context.Context, after string, yield func(replhub.Event) error) (err error) {
	rows, err := s.db.QueryContext(ctx,
		"SELECT id, tenant, name, email, password_hash FROM users WHERE id > $1 ORDER BY id LIMIT 1000", after)
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u user
		if err := rows.Scan(&u.ID, &u.Tenant, &u.Name, &u.Profile.Email, &u.PasswordHash); err != nil {
			return fmt.Errorf("read a user: %w", err)
		}
		data, err := u.json()
		if err != nil {
			return err
		}
		if err := yield(replhub.Event{Key: u.ID, Data: data}); err != nil {
			return err
		}
	}
	return rows.Err()
}
