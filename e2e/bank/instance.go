package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
)

// service is one of the two that replicate accounts.
type service struct {
	fields  []string
	ordered bool
	// row is what the replica keeps of a payload, as the audit writes it too.
	row func(p payload) string
}

func serviceNamed(name string) (service, error) {
	switch name {
	case "ledger":
		return service{
			fields: []string{"id", "change", "balance"}, ordered: true,
			row: func(p payload) string {
				return fmt.Sprintf("change %d, balance %d%s", p.Change, p.Balance, hidden(p, p.Owner != owner{}))
			},
		}, nil
	case "cards":
		return service{
			fields: []string{"id", "change", "owner.city"},
			row: func(p payload) string {
				return fmt.Sprintf("change %d, city %s%s", p.Change, p.Owner.City, hidden(p, p.Owner.Name != "" || p.Balance != 0))
			},
		}, nil
	}
	return service{}, fmt.Errorf("no service %q", name)
}

// hidden spoils a row that was made of fields which the service did not ask for.
func hidden(p payload, others bool) string {
	if p.PIN != "" || others {
		return ", and what was not asked for"
	}
	return ""
}

// instance applies what its service is sent until ctx ends.
func instance(ctx context.Context, s settings, log *slog.Logger) (err error) {
	svc, err := serviceNamed(s.service)
	if err != nil {
		return err
	}
	client, err := connect(ctx, s, s.service, log)
	if err != nil || client == nil {
		return err
	}
	defer client.Close()
	a := &applier{svc: svc, unguarded: s.without == withoutInbox, think: s.think}
	if a.in, err = newInbox(); err != nil {
		return err
	}
	if a.db, err = open(s.db, s.workers); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.db.Close()) }()
	var j journal = &tableJournal{db: a.db, instance: s.name, partitions: s.partitions}
	if s.journal != "" {
		if j, err = openJournal(s.journal); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, j.close()) }()
	// The server's deliveries are many where so much is killed.
	queue := replhub.Queue{Order: replhub.OrderNone, AckWait: 4 * time.Second, MaxDeliver: 1000}
	if svc.ordered && s.without != withoutExclusivity {
		queue.Order, queue.Partitions = replhub.OrderKey, s.partitions
	}
	return client.Subscribe(ctx, replhub.Subscription{
		Registration: replhub.Registration{
			Interests: []replhub.Interest{{Entity: "account", Fields: svc.fields, Start: replhub.StartAll}},
			Queue:     queue,
		},
		Workers: s.workers, Instance: s.name, MaxAttempts: 1000, MaxBackoff: time.Second,
	}, around(j, a))
}

// applier makes the effect of a delivery: the replica's row, and a row that
// tells of it.
type applier struct {
	svc       service
	in        *inbox.Inbox
	db        *sql.DB
	unguarded bool
	think     time.Duration
}

// apply returns what became of the delivery, for the journal.
func (a *applier) apply(ctx context.Context, d *replhub.Delivery) (string, error) {
	var p payload
	if d.Op != replhub.Delete {
		if err := json.Unmarshal(d.Data, &p); err != nil {
			return "", replhub.Park(err)
		}
	}
	thought := time.NewTimer(a.think)
	defer thought.Stop()
	select {
	case <-thought.C:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	effect := func(ctx context.Context, tx *sql.Tx) error { return a.effect(ctx, tx, d, p) }
	if !a.unguarded {
		outcome, err := a.in.Do(ctx, a.db, d, effect)
		return outcome.String(), err
	}
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback() //nolint:errcheck // nothing to do after a commit
	if err := effect(ctx, tx); err != nil {
		return "", err
	}
	return "applied", tx.Commit()
}

func (a *applier) effect(ctx context.Context, tx *sql.Tx, d *replhub.Delivery, p payload) error {
	const note = `WITH noted AS (INSERT INTO effects (event_id, key, epoch, seq) VALUES ($1, $2, $3, $4)) `
	args := []any{d.ID, d.Key, int64(d.Position.Epoch), int64(d.Position.Seq)}
	if d.Op == replhub.Delete {
		_, err := tx.ExecContext(ctx, note+`DELETE FROM replica WHERE id = $2`, args...)
		return err
	}
	_, err := tx.ExecContext(ctx, note+`INSERT INTO replica (id, row) VALUES ($2, $5) ON CONFLICT (id) DO UPDATE SET row = excluded.row`,
		append(args, a.svc.row(p))...)
	return err
}
