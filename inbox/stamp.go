package inbox

import (
	"time"

	"github.com/replhub/replhub"
)

// Stamp has the values by which changes are ordered.
type Stamp struct {
	// Position is the change's position in ingest; zero means that no change was
	// applied yet.
	Position replhub.Position
	// Origin is the service that published the change; empty when it did not name
	// itself. All publishers without a name count as one.
	Origin string
	// Version is the publisher's own version of the key; 0 means none. In the inbox
	// it is the greatest version that the origin has given since another origin wrote
	// the key.
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
// ofSnapshot says that it is a row of a snapshot.
func decide(policy Policy, current, incoming Stamp, ofSnapshot bool) Outcome {
	switch {
	case current.none():
		return Applied
	case ofSnapshot && renews(policy, current, incoming):
		return Applied
	case current.Position == incoming.Position && !ofSnapshot:
		return Duplicate
	case policy(current, incoming):
		return Applied
	default:
		return lost(current, incoming)
	}
}

// renews reports whether a row of a snapshot that need not be newer is written
// again: it has the very version that was applied, or current would not win over
// it either. Over a delete such a row does not win: it may be from before. A delete of a
// backfill does, since it leaves the row as deleted as it was: it removes what was written
// by hand.
func renews(policy Policy, current, incoming Stamp) bool {
	if current.Deleted && !incoming.Deleted {
		return false
	}
	return versioned(current, incoming) && current.Version == incoming.Version || !policy(incoming, current)
}

// merged is the stamp that a row of a snapshot leaves. A row contains all changes
// up to its position, and has the place of the last that was applied if that is
// later: what is older than either stays old.
func merged(current, incoming Stamp) Stamp {
	if incoming.Position.Compare(current.Position) < 0 {
		incoming.Position = current.Position
	}
	if incoming.Time.Before(current.Time) {
		incoming.Time = current.Time
	}
	return incoming
}

// lost is the outcome of incoming where it did not win over current.
func lost(current, incoming Stamp) Outcome {
	if current.Position == incoming.Position || (versioned(current, incoming) && current.Version == incoming.Version) {
		return Duplicate
	}
	return Stale
}

// regressed reports whether incoming lost though ingest stored it later: its
// origin gave a lower version after a greater one.
func regressed(current, incoming Stamp) bool {
	return versioned(current, incoming) && incoming.Version < current.Version && current.Position.Compare(incoming.Position) < 0
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
