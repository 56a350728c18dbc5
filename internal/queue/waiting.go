package queue

import "time"

// wait says what happens to an event that cannot be handled because of another row.
type wait uint8

const (
	waitNot  wait = iota // the answer is a failure like any other
	waitOn               // the event is tried again, and uses up no attempt
	waitOver             // the event has waited for as long as it may
)

// mayWait decides on a job that its handler answered with Waits.
func (t *attempts) mayWait(j *Job, a Answer) wait {
	if j.waitsFrom.IsZero() {
		j.waitsFrom = t.env.now
	}
	switch {
	case t.env.cfg.MaxWait < 0:
		return waitNot
	case t.env.now.Sub(j.waitsFrom) >= t.env.cfg.MaxWait:
		return waitOver
	case !t.env.cfg.Batches && a.Unique && j.behind != nil:
		// Another row has the unique value now, so a later event of this row must give
		// this row another value. A batch handler gets the two events together.
		return waitNot
	case !t.env.cfg.HoldKey && j.src.crowded():
		j.gaveUp = true
		return waitOver
	default:
		return waitOn
	}
}

// waitsFor is what an event waits for.
type waitsFor uint8

const (
	waitsForNone   waitsFor = iota
	waitsForRow             // another row must be inserted or deleted
	waitsForUnique          // another row must give up a unique value
)

// Waiting counts the events that wait for another row.
type Waiting struct {
	Row, Unique int
	Since       time.Time // the time of the earliest first answer with Waits among these events
}

func (s *sources) waiting() Waiting {
	var w Waiting
	for _, src := range s.all {
		for j := src.first; j != nil; j = j.later {
			switch j.waitsFor {
			case waitsForRow:
				w.Row++
			case waitsForUnique:
				w.Unique++
			case waitsForNone:
				continue
			}
			if w.Since.IsZero() || j.waitsFrom.Before(w.Since) {
				w.Since = j.waitsFrom
			}
		}
	}
	return w
}
