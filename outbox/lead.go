package outbox

import (
	"context"
	"fmt"
	"slices"
)

// While a transaction is held open, MariaDB keeps the rows that were deleted, and no
// horizon can be proven with the rights of an ordinary user: each scan begins at the
// beginning. In the table itself a scan passes over a deleted row in 0.1 to 0.3 µs. An
// entry of the index by shard has no version: where the open transaction has written,
// each is looked up in the table, which takes 15 to 70 times as long. So the relay goes
// by the table while there are few rows, of whichever shard, and by the index where
// many wait.

// leadBatches is how many batches of rows count as few.
const leadBatches = 4

// lead looks at the first rows of all. Where there are more than a few, it names all
// shards: to ask the index which of them have rows would take longer than to try
// each.
func (l *locks) lead(ctx context.Context) (found []int, many bool, err error) {
	first, err := shardsOf(ctx, l.db, fmt.Sprint(l.box.sql.lead, leadBatches*l.limit))
	if err != nil {
		return nil, false, err
	}
	if l.few = len(first) < leadBatches*l.limit; !l.few {
		found, err = shardsOf(ctx, l.db, l.box.sql.shards)
		return found, true, err
	}
	slices.Sort(first)
	return slices.Compact(first), false, nil
}
