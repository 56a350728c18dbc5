package outbox

import (
	"context"
	"fmt"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Rekey writes the events of a row whose key has changed: a delete of the old key,
// and ev, a create of the row under its new key. Both are published when tx commits,
// or neither. A single update would leave a second row in every replica. The delete
// has ev's headers and no payload.
//
// ev's Op must be Create or empty. Errors are those of Enqueue. The error is
// replhub.ErrInvalidEvent where ev has no key or still has the old one; use Enqueue
// with an update for that.
//
// The delete is enqueued first, but no order holds between two keys: the create may
// be published before the delete, and a replica then has both rows for a moment.
// Where a column of the replica is unique, the replica refuses the create until the
// delete is applied. The delete does not wait, and the create succeeds when it is
// tried again. Rows that swap their keys, or take over a key that another row gives
// up in the same transaction, must not use Rekey: it would delete a key that has a
// row afterwards. Enqueue the state of each key at the end of the transaction
// instead.
func (o *Outbox) Rekey(ctx context.Context, tx database.Tx, oldKey string, ev replhub.Event) error {
	if ev.Op == "" {
		ev.Op = replhub.Create
	}
	gone, err := departure(oldKey, &ev)
	if err != nil {
		return fmt.Errorf("rekey %s from %q: %w", ev.Entity, oldKey, err)
	}
	// Checked before anything is written, as Enqueue does for one event.
	for _, one := range []replhub.Event{gone, ev} {
		if _, err := o.row(ctx, one); err != nil {
			return fmt.Errorf("rekey %s.%s from %q: %w", ev.Entity, one.Op, oldKey, err)
		}
	}
	if err := o.Enqueue(ctx, tx, gone); err != nil {
		return err
	}
	return o.Enqueue(ctx, tx, ev)
}

// departure is the delete of the key that a row had.
func departure(oldKey string, ev *replhub.Event) (replhub.Event, error) {
	newKey := replhub.KeyOf(*ev)
	switch {
	case ev.Op != replhub.Create:
		return replhub.Event{}, invalid("Op", "is %q; a row under a new key is a create", ev.Op)
	case oldKey == "":
		return replhub.Event{}, invalid("Key", "the old one is empty")
	case newKey == "":
		return replhub.Event{}, invalid("Key", "the new one is empty, and the payload has no id")
	case newKey == oldKey:
		return replhub.Event{}, invalid("Key", "has not changed: enqueue an update")
	}
	return replhub.Event{Entity: ev.Entity, Op: replhub.Delete, Key: oldKey, Header: ev.Header}, nil
}
