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
// into such a lane then fails. The pins of a lane that cannot be written stay, and limit
// the floor like pins that have not expired. The trim reads the lanes after that.
func (t *trim) fence() Step {
	return ReadLedger{func(r Read) Step {
		if r.Revision == 0 {
			return Restore(t.fence) // so that the stored ledger notes the loss
		}
		due, lost := r.Ledger.overdue(r.Now), r.Ledger.Lost
		if len(due) == 0 && lost == 0 {
			return t.counted(r)
		}
		return Fence{Services: servicesOf(due), All: lost > 0, Then: func(unfenced map[subjects.Name]error) Step {
			t.done.Looked, t.done.Unfenced = true, unfenced
			if lost > 0 && len(unfenced) > 0 {
				return t.then(t.done) // it is not known what the lost pins of these lanes kept
			}
			return update(func(l *Ledger, _ time.Time) (bool, error) {
				l.expire(without(due, unfenced))
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
		if service, ok := serviceOf(id); ok && !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	return services
}

// serviceOf returns the service whose registration set a pin.
func serviceOf(id string) (service subjects.Name, ok bool) {
	text, _, _ := strings.Cut(id, "/")
	service, err := subjects.ParseName(text)
	return service, err == nil
}

// without returns the pins of all services but those whose lanes were not fenced.
func without(pins map[string]Pin, unfenced map[subjects.Name]error) map[string]Pin {
	fenced := maps.Clone(pins)
	maps.DeleteFunc(fenced, func(id string, _ Pin) bool {
		service, ok := serviceOf(id)
		return ok && unfenced[service] != nil
	})
	return fenced
}
