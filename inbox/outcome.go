package inbox

import "strconv"

// Outcome is the outcome of a delivery.
type Outcome int

// The outcomes. The zero Outcome comes with an error.
const (
	// Applied means that the effect was made.
	Applied Outcome = iota + 1
	// Duplicate means that this same change is already the last applied one.
	Duplicate
	// Stale means that the last applied change is newer than this one.
	Stale
)

// regression is Stale, until that is counted, for a delivery whose publisher seems to
// have begun to count again.
const regression Outcome = -1

func (o Outcome) String() string {
	switch o {
	case Applied:
		return "applied"
	case Duplicate:
		return "duplicate"
	case Stale:
		return "stale"
	default:
		return "outcome " + strconv.Itoa(int(o))
	}
}
