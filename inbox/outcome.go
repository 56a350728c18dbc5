package inbox

import "strconv"

// Outcome is what became of a delivery.
type Outcome int

// The outcomes. Zero is none of them: an error came between.
const (
	// Applied: the effect was made.
	Applied Outcome = iota + 1
	// Duplicate: this very change is what was applied last.
	Duplicate
	// Stale: what was applied last wins over this change.
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
