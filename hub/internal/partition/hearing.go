package partition

import (
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Hearing is what one hub decides for the instances of one service, without the store
// of rosters: the simulation keeps the rosters itself. Rosters does the same with the
// stream that the hubs share.
type Hearing struct{ presence presence }

// NewHearing makes the Hearing of a hub that has heard no instance yet.
func NewHearing() Hearing { return Hearing{newPresence()} }

// Hear applies a request to a roster, and reports whether the roster is to be stored,
// and which partitions the instance may work on once it is.
func (h *Hearing) Hear(r *Roster, req contract.Join, hub string, partitions int, now time.Time) (assigned []int, changed bool) {
	changed = h.presence.hear(r, req, hub, partitions, now)
	if !req.Leaving {
		assigned = r.assigned(req.Instance)
	}
	return assigned, changed
}
