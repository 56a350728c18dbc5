package replhub

import (
	"time"

	"github.com/replhub/replhub/database"
)

// quietWaits is how often an event is tried before somebody is told that it waits.
const quietWaits = 10

// wait is what becomes of an event that another row keeps from being handled.
type wait uint8

const (
	waitNot  wait = iota // it is as any other failure
	waitOn               // it is tried again, and uses up no attempt
	waitOver             // it has waited for as long as it may
)

// mayWait decides on a job that its handler answered with an error of the class
// [database.Waits].
func (s *Subscriber) mayWait(j *job, err error) wait {
	now := time.Now()
	if j.waitsSince.IsZero() {
		j.waitsSince = now
	}
	switch {
	case s.cfg.MaxWait < 0:
		return waitNot
	case now.Sub(j.waitsSince) >= s.cfg.MaxWait:
		return waitOver
	case s.batches == nil && database.IsUnique(err) && s.hasNewer(j):
		// The value was given to another row since, so one behind this event gives its
		// row another one. A handler of batches gets the two together.
		return waitNot
	case s.crowded(j):
		j.gaveUp = true
		return waitOver
	default:
		return waitOn
	}
}

// hasNewer reports whether events of the job's row wait behind it.
func (s *Subscriber) hasNewer(j *job) bool {
	j.src.desk.mu.Lock()
	defer j.src.desk.mu.Unlock()
	return j.behind != nil
}
