package sim

import (
	"errors"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/sim/model"
)

// deleteLane is a lane's stream that somebody deletes. The service has to register again.
// As a registration creates no lane within a deletion, some time passes. Workers that
// still hold copies are not simulated, as in restoreLane.
func (w *World) deleteLane(text string) {
	i := w.service(text)
	if i < 0 || !w.begun(i) || !w.registered(w.services[i]) {
		return
	}
	// A purge on its way would be served by the next stream of the name.
	if slices.ContainsFunc(w.calls, func(c *call) bool { return c.stream == text && c.what == "purge" && c.serve != nil }) {
		return
	}
	for _, c := range w.calls {
		if c.batch != nil && c.stream == text {
			c.batch.gone, c.batch.queue = true, nil
		}
	}
	w.everyConsumer(w.services[i], func(_ string, c *model.Consumer) {
		w.push(c.End())
		w.judge.recreated[text]++
	})
	w.dieWorkers(text)
	delete(w.lanes, text)
	delete(w.copies, text)
	delete(w.lagging, text)
	w.judge.deleted(text)
	w.now = w.now.Add(restartTime)
}

// ends notes that the server knows no stream of the lane: the hub forgets the lane, and
// registrations on their way begin again.
func (l *writer) ends(err error) bool {
	if !errors.Is(err, errNoLane) {
		return false
	}
	l.h.w.trace("  %s: the lane is gone", l.self.name)
	l.dropBatch()
	l.h.w.end(l.self)
	l.h.writers[l.index] = nil
	for _, c := range l.changes {
		c.again(l.h, l.index)
	}
	return true
}

// deleted notes that a lane is gone, with its interests.
func (j *judge) deleted(lane string) {
	for _, in := range j.states[lane].Interests {
		j.lost[in.ID], j.over[in.ID] = true, j.w.now
	}
	for _, a := range j.answers {
		j.lost[a.id] = j.lost[a.id] || a.service == lane
	}
	// Nobody knows any more that these had ended: an old copy of the registry may have
	// their records, which no hub registers or removes.
	for _, id := range j.states[lane].Ended {
		j.lost[id] = true
	}
	for _, entity := range entities {
		delete(j.inForce, lane+"/"+entity)
	}
	j.states[lane] = record.State{}
	delete(j.states, lane)
	j.forget(lane)
}
