package queue

// wait is what becomes of an event that another row keeps from being handled.
type wait uint8

const (
	waitNot  wait = iota // it is as any other failure
	waitOn               // it is tried again, and uses up no attempt
	waitOver             // it has waited for as long as it may
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
		// The value was given to another row since, so one behind this event gives its
		// row another one. A handler of batches gets the two together.
		return waitNot
	case !s.cfg.HoldKey && j.src.crowded():
		j.gaveUp = true
		return waitOver
	default:
		return waitOn
	}
}
