package main

import (
	"context"
	"database/sql"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
)

// tableEffects replicates into a table. A trigger notes each row that is written,
// with the id of its event; a delete has none to leave.
type tableEffects struct {
	in        *inbox.Inbox
	db        *sql.DB
	table     *inbox.Table
	unguarded bool
}

func newTableEffects(s settings, in *inbox.Inbox, db *sql.DB) (applier, error) {
	table, err := in.NewTable(inbox.TableConfig{Table: "replica", Columns: []inbox.Column{
		{Name: "change"},
		{Name: "event"},
		{Name: "city", Path: "owner.city"},
		// What was not asked for, and must not come.
		{Name: "name", Path: "owner.name"},
		{Name: "balance"},
		{Name: "pin"},
	}})
	return &tableEffects{in: in, db: db, table: table, unguarded: s.without == withoutInbox}, err
}

func (a *tableEffects) apply(ctx context.Context, batch []*replhub.Delivery) ([]string, error) {
	if a.unguarded {
		return a.applyAll(ctx, batch)
	}
	// As Table.Handler does, which does not tell the outcomes.
	outcomes, err := a.in.ReplicateBatch(ctx, a.db, batch, a.table)
	texts := make([]string, len(outcomes))
	for i, outcome := range outcomes {
		texts[i] = outcome.String()
	}
	return texts, err
}

// applyAll writes whatever comes, in its order.
func (a *tableEffects) applyAll(ctx context.Context, batch []*replhub.Delivery) ([]string, error) {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing to do after a commit
	outcomes := make([]string, len(batch))
	for i, d := range batch {
		if err := a.table.Apply(ctx, tx, d); err != nil {
			return nil, err
		}
		outcomes[i] = inbox.Applied.String()
	}
	return outcomes, tx.Commit()
}
