package retention

import "time"

// A server that finds a file of ingest damaged continues without the events that it cannot
// read. The stream keeps its bounds: a read of such a sequence finds nothing, and a consumer
// passes over it. Neither a trim nor a rollback leaves a gap between events that ingest
// holds, and an erased event has a mark.

// Gap finds whether the events behind a mark are missing although ingest still holds the
// sequences around them. next is the mark in front of the first event behind the gap; it
// has no time, because its event is missing.
func (l *Ledger) Gap(m Mark, then func(next Mark, is bool) Step) Step {
	return Look{func(b Bounds, _ time.Time) Step {
		if m.Seq >= b.Last || m.Seq+1 < b.First || l.Stale(m.Position) {
			return then(Mark{}, false)
		}
		return timeAt(m.Seq+1, func(_ time.Time, found bool) Step {
			if found {
				return then(Mark{}, false)
			}
			return b.still(func(is bool, now Bounds) Step {
				if !is || m.Seq+1 < now.First {
					return then(Mark{}, false)
				}
				return ReadNext{m.Seq + 1, func(seq uint64, _ time.Time, found bool) Step {
					if !found {
						seq = now.Last + 1
					}
					return then(Mark{Position: l.PositionOf(seq - 1)}, true)
				}}
			})
		})
	}}
}
