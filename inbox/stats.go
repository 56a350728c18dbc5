package inbox

import (
	"sync/atomic"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Stats counts since New. Apply counts when it decides, though its transaction
// may yet be rolled back; Do counts what was committed.
type Stats struct {
	// Applied, Duplicate and Stale count deliveries by their outcome.
	Applied, Duplicate, Stale uint64
	// Tombstones counts the deletes among Applied.
	Tombstones uint64
	// Retries counts transactions of Do that were tried again.
	Retries uint64
	// Regressed counts those among Stale that ingest stored after what was applied
	// and whose origin gave them a lower version: a publisher that was restored
	// from a backup, or one that published out of order.
	Regressed uint64
	// WaitedForRow and WaitedForUnique count deliveries to Do, Replicate and
	// ReplicateBatch that had no effect because another row must change first: a row
	// that a foreign key names, or the row that has a unique value. A subscriber tries
	// such a delivery again, and each time counts; replhub.Subscriber.Waiting tells how
	// many events wait now.
	WaitedForRow, WaitedForUnique uint64
}

type counters struct {
	applied, duplicate, stale, tombstones, retries, regressed atomic.Uint64
	waitedForRow, waitedForUnique                             atomic.Uint64
}

// Stats may be called at any time. Each number is exact, but they are not read
// together.
func (i *Inbox) Stats() Stats {
	return Stats{
		Applied:    i.stats.applied.Load(),
		Duplicate:  i.stats.duplicate.Load(),
		Stale:      i.stats.stale.Load(),
		Tombstones: i.stats.tombstones.Load(),
		Retries:    i.stats.retries.Load(),
		Regressed:  i.stats.regressed.Load(),

		WaitedForRow:    i.stats.waitedForRow.Load(),
		WaitedForUnique: i.stats.waitedForUnique.Load(),
	}
}

// refused counts an error that says that another row must change first.
func (c *counters) refused(err error) {
	switch {
	case err == nil || database.Classify(err) != database.Waits:
	case database.IsUnique(err):
		c.waitedForUnique.Add(1)
	default:
		c.waitedForRow.Add(1)
	}
}

// count counts what was decided for good, and returns it in the words of callers.
func (c *counters) count(outcome Outcome, d *replhub.Delivery) Outcome {
	if outcome == regression {
		c.regressed.Add(1)
		outcome = Stale
	}
	switch outcome {
	case Applied:
		c.applied.Add(1)
		if d.Op == replhub.Delete {
			c.tombstones.Add(1)
		}
	case Duplicate:
		c.duplicate.Add(1)
	case Stale:
		c.stale.Add(1)
	case regression: // counted above, as Stale is now
	}
	return outcome
}
