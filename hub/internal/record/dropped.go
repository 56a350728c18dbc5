package record

import (
	"sync"

	"github.com/replhub/replhub/subjects"
)

// maxDropped is how many ids of dropped lanes a hub remembers.
const maxDropped = 10_000

// droppedLanes are the ids of interests that ended with their lane. The lane's own
// list of ended ids is deleted with its stream, and the registry may be away at that
// time: its records are then removed when it is back. A hub that starts in between
// does not know these ids, and reports the records instead. The zero droppedLanes
// works; it may be used concurrently.
type droppedLanes struct {
	mu    sync.Mutex // guards what follows
	known map[string]bool
	order []string // oldest first
	// services are the left-behind records of dropped services.
	services map[subjects.Name]string
}

// left notes a dropped service's record that is still in the registry.
func (d *droppedLanes) left(service subjects.Name, record []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.services == nil {
		d.services = make(map[subjects.Name]string)
	}
	d.services[service] = string(record)
}

// leftBehind reports whether a service's record is left from a dropped service: it
// does not apply to a later service of the name.
func (d *droppedLanes) leftBehind(service subjects.Name, record []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	left, noted := d.services[service]
	return noted && left == string(record)
}

// add notes the ids of interests that ended with their lane.
func (d *droppedLanes) add(ids ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		d.note(id)
	}
}

func (d *droppedLanes) note(id string) {
	if d.known[id] {
		return
	}
	if d.known == nil {
		d.known = make(map[string]bool)
	}
	d.known[id] = true
	d.order = append(d.order, id)
	if len(d.order) > maxDropped {
		delete(d.known, d.order[0])
		d.order = d.order[1:]
	}
}

// has reports whether an id is of a dropped lane.
func (d *droppedLanes) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[id]
}
