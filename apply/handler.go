package apply

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
)

// counts are of one table since the run began.
type counts struct {
	applied, deleted, stale, duplicate, dead atomic.Uint64
}

// HandleBatch writes a batch, the deliveries of one table in one transaction. Where a
// later table fails, those before it are delivered again, and end as duplicates.
func (a *Applier) HandleBatch(ctx context.Context, batch []*replhub.Delivery) error {
	for _, group := range byEntity(batch) {
		r := a.replicaOf(group[0].Entity)
		if r == nil {
			return replhub.Park(fmt.Errorf("no table is named for entity %s: start the instances with --table %[1]s=<table>", group[0].Entity))
		}
		if err := a.write(ctx, r, group); err != nil {
			return err
		}
	}
	return nil
}

// byEntity parts a batch, in the order of first deliveries.
func byEntity(batch []*replhub.Delivery) [][]*replhub.Delivery {
	var groups [][]*replhub.Delivery
	at := map[string]int{}
	for _, d := range batch {
		i, known := at[d.Entity]
		if !known {
			i = len(groups)
			at[d.Entity] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}

func (a *Applier) replicaOf(entity string) *replica {
	for _, r := range a.replicas {
		if r.spec.Entity == entity {
			return r
		}
	}
	return nil
}

func (a *Applier) write(ctx context.Context, r *replica, group []*replhub.Delivery) error {
	if !r.exists() && onlyDeletes(group) {
		err := a.bury(ctx, r, group)
		if !errors.Is(err, errTableExists) {
			return err
		}
	}
	table, err := a.settle(ctx, r, group)
	if err != nil {
		return err
	}
	outcomes, err := a.inbox.ReplicateBatch(ctx, a.db, group, table)
	if err != nil {
		return err
	}
	for i, outcome := range outcomes {
		r.counts.count(outcome, group[i].Op)
	}
	return nil
}

func onlyDeletes(group []*replhub.Delivery) bool {
	for _, d := range group {
		if d.Op != replhub.Delete {
			return false
		}
	}
	return true
}

// errTableExists says that a table was made by another instance.
var errTableExists = errors.New("the table exists by now")

// bury notes deletes of a table that does not exist yet: an older row that comes later is
// not to bring them back. That the table does not exist is looked at with the key's row
// locked: another instance may have made it, and written the row.
func (a *Applier) bury(ctx context.Context, r *replica, group []*replhub.Delivery) error {
	for _, d := range group {
		outcome, err := a.inbox.Do(ctx, a.db, d, func(ctx context.Context, tx *sql.Tx) error {
			_, err := a.inbox.Columns(ctx, tx, r.spec.Table)
			if _, missing := errors.AsType[*inbox.MissingTableError](err); missing {
				return nil
			}
			return cmp.Or(err, errTableExists)
		})
		if err != nil {
			return err
		}
		r.counts.count(outcome, d.Op)
	}
	return nil
}

func (c *counts) count(outcome inbox.Outcome, op replhub.Op) {
	switch outcome {
	case inbox.Applied:
		c.applied.Add(1)
		if op == replhub.Delete {
			c.deleted.Add(1)
		}
	case inbox.Duplicate:
		c.duplicate.Add(1)
	default:
		c.stale.Add(1)
	}
}
