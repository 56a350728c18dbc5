package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// ownEffects makes effects of its own: the replica's row, and a row that tells of
// it, for each delivery that the inbox lets through.
type ownEffects struct {
	in        *inbox.Inbox
	db        *sql.DB
	unguarded bool
	think     time.Duration
}

func newOwnEffects(s settings, in *inbox.Inbox, db *sql.DB) (applier, error) {
	return &ownEffects{in: in, db: db, unguarded: s.without == withoutInbox, think: s.think}, nil
}

// ledgerRow is what the ledger keeps of a payload, as the audit writes it too.
func ledgerRow(p payload) string {
	row := fmt.Sprintf("change %d, balance %d", p.Change, p.Balance)
	if p.PIN != "" || p.Event != "" || p.Owner != (owner{}) {
		row += ", and what was not asked for"
	}
	return row
}

func (a *ownEffects) apply(ctx context.Context, batch []*replhub.Delivery) ([]string, error) {
	payloads, err := decoded(batch)
	if err != nil {
		return nil, err
	}
	thought := time.NewTimer(a.think)
	defer thought.Stop()
	select {
	case <-thought.C:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	// Rows are locked in one order everywhere, and changes of a key stay in theirs.
	order := make([]int, len(batch))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(batch[a].Key, batch[b].Key) })
	outcomes := make([]string, len(batch))
	err = database.InTransaction(ctx, a.db, nil, func(tx *sql.Tx) error {
		for _, i := range order {
			effect := func() error { return a.effect(ctx, tx, batch[i], payloads[i]) }
			if outcomes[i], err = a.guarded(ctx, tx, batch[i], effect); err != nil {
				return err
			}
		}
		return nil
	})
	return outcomes, err
}

func decoded(batch []*replhub.Delivery) ([]payload, error) {
	payloads := make([]payload, len(batch))
	for i, d := range batch {
		if d.Op == replhub.Delete {
			continue
		}
		if err := json.Unmarshal(d.Data, &payloads[i]); err != nil {
			return nil, replhub.Park(err)
		}
	}
	return payloads, nil
}

func (a *ownEffects) guarded(ctx context.Context, tx *sql.Tx, d *replhub.Delivery, effect func() error) (string, error) {
	if a.unguarded {
		return inbox.Applied.String(), effect()
	}
	outcome, err := a.in.Apply(ctx, tx, d, effect)
	return outcome.String(), err
}

func (a *ownEffects) effect(ctx context.Context, tx *sql.Tx, d *replhub.Delivery, p payload) error {
	const note = `WITH noted AS (INSERT INTO effects (event_id, key, epoch, seq) VALUES ($1, $2, $3, $4)) `
	args := []any{d.ID, d.Key, int64(d.Position.Epoch), int64(d.Position.Seq)}
	if d.Op == replhub.Delete {
		_, err := tx.ExecContext(ctx, note+`DELETE FROM replica WHERE id = $2`, args...)
		return err
	}
	_, err := tx.ExecContext(ctx, note+`INSERT INTO replica (id, row) VALUES ($2, $5) ON CONFLICT (id) DO UPDATE SET row = excluded.row`,
		append(args, ledgerRow(p))...)
	return err
}
