package inbox

import (
	"time"

	"github.com/replhub/replhub"
)

// Stamp is what a change is ordered by.
type Stamp struct {
	// Position is where the change stands in ingest. Zero: nothing was applied
	// yet.
	Position replhub.Position
	// Origin is the service that published it; empty when it did not say.
	// Publishers that do not say count as one.
	Origin string
	// Version is the publisher's own version of the key; 0 is none. Of a row it
	// is the greatest that its origin has given since another wrote it.
	Version int64
	// Time is that of Config.Time, in UTC.
	Time time.Time
	// Deleted says that the change is a delete; a row of such is a tombstone.
	Deleted bool
}

// none reports whether s is of a row to which nothing was applied.
func (s Stamp) none() bool { return s.Position == replhub.Position{} }

// versioned reports whether versions tell a's and b's order.
func versioned(a, b Stamp) bool {
	return a.Origin == b.Origin && a.Version > 0 && b.Version > 0
}

// decide says what becomes of incoming where current was applied last.
func decide(policy Policy, current, incoming Stamp) Outcome {
	switch {
	case current.none():
		return Applied
	case current.Position == incoming.Position:
		return Duplicate
	case policy(current, incoming):
		return Applied
	default:
		return lost(current, incoming)
	}
}

// lost is the outcome of incoming where it did not win over current.
func lost(current, incoming Stamp) Outcome {
	if current.Position == incoming.Position || (versioned(current, incoming) && current.Version == incoming.Version) {
		return Duplicate
	}
	return Stale
}

// keepVersion is the version of the row that incoming is applied to under
// Newest. A change without a version, such as a snapshot's row, leaves its
// origin's as it is: what that origin gave a lower one is old all the same.
func keepVersion(current, incoming Stamp) int64 {
	if incoming.Version == 0 && incoming.Origin == current.Origin {
		return current.Version
	}
	return incoming.Version
}
