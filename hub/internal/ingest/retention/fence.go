package retention

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/subjects"
)

// fence writes the state records again of the lanes whose pins have expired, or of all
// lanes if pins were lost, and then releases the expired pins. A registration on its way
// into such a lane then fails. The trim reads the lanes after that.
func (t *trim) fence() Step {
	return ReadLedger{func(r Read) Step {
		if r.Revision == 0 {
			return Restore(t.fence) // so that the stored ledger notes the loss
		}
		due, lost := r.Ledger.overdue(r.Now), r.Ledger.Lost
		if len(due) == 0 && lost == 0 {
			return t.counted(r)
		}
		return Fence{Services: servicesOf(due), All: lost > 0, Then: func(unknown map[subjects.Name]error) Step {
			if len(unknown) > 0 {
				t.done.Looked, t.done.Need.Unknown = true, unknown
				return t.then(t.done)
			}
			return update(func(l *Ledger, _ time.Time) (bool, error) {
				l.expire(due)
				if l.Lost == lost {
					l.Lost = 0
				}
				return true, nil
			}, func(Ledger) Step { return ReadLedger{t.counted} })
		}}
	}}
}

// servicesOf returns the services whose registrations set the pins. A pin whose id names
// no service was not set by a hub.
func servicesOf(pins map[string]Pin) []subjects.Name {
	var services []subjects.Name
	for _, id := range slices.Sorted(maps.Keys(pins)) {
		text, _, _ := strings.Cut(id, "/")
		if service, err := subjects.ParseName(text); err == nil && !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	return services
}
