package queue

// wait is what becomes of an event that cannot be handled because of another row.
type wait uint8

const (
	waitNot  wait = iota // the answer is a failure like any other
	waitOn               // the event is tried again, and uses up no attempt
	waitOver             // the event has waited for as long as it may
)

// mayWait decides on a job that its handler answered with Waits.
func (s *Scheduler) mayWait(j *Job, a Answer) wait {
	if j.waitsFrom.IsZero() {
		j.waitsFrom = s.now
	}
	switch {
	case s.cfg.MaxWait < 0:
		return waitNot
	case s.now.Sub(j.waitsFrom) >= s.cfg.MaxWait:
		return waitOver
	case !s.cfg.Batches && a.Unique && j.behind != nil:
		// Another row has the value since, so a later event of this row gives the row
		// another value. A handler of batches gets the two events together.
		return waitNot
	case !s.cfg.HoldKey && j.src.crowded():
		j.gaveUp = true
		return waitOver
	default:
		return waitOn
	}
}
