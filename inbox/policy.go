package inbox

import "cmp"

// Policy reports whether incoming replaces current. Both belong to one (entity, key),
// and have different positions unless one is a row of a snapshot. It is called with
// the row locked and must depend only on its arguments.
//
// A row of a snapshot is also applied where neither wins over the other, or where
// it has the same version of the same origin (see the package's documentation). To
// learn that, the policy is asked with the two in either place.
//
// Replicas become equal whatever order deliveries come in only if the policy is
// a total order: of any two changes one wins, and who beats the winner beats the
// loser. ByPosition, ByTime and ByVersion are. Newest is for one origin that
// gives versions always or never; for several it is only as long as no origin's
// older version stands after its newer one in ingest.
//
// A service that writes keys of which others write too must order its own writes by
// the same rule. With ByPosition that is automatic: the event is stored after all
// changes that were applied when it committed. For other policies see
// [Inbox.Current].
type Policy func(current, incoming Stamp) bool

// Newest is the default: among changes of one origin the greater version wins,
// where both have one; otherwise the greater position.
func Newest(current, incoming Stamp) bool {
	if versioned(current, incoming) {
		return incoming.Version > current.Version
	}
	return ByPosition(current, incoming)
}

// ByPosition lets the change win that ingest stored last, versions or not.
func ByPosition(current, incoming Stamp) bool {
	return current.Position.Compare(incoming.Position) < 0
}

// ByTime lets the change of the latest time win, and of equal times the one with the
// greater position. It is only as good as the clocks it compares.
func ByTime(current, incoming Stamp) bool {
	if c := incoming.Time.Compare(current.Time); c != 0 {
		return c > 0
	}
	return ByPosition(current, incoming)
}

// ByVersion lets the greater version win, whichever origin gave it, and of equal
// versions the greater position.
func ByVersion(current, incoming Stamp) bool {
	if c := cmp.Compare(incoming.Version, current.Version); c != 0 {
		return c > 0
	}
	return ByPosition(current, incoming)
}
