package queue

import "time"

// outage is a time in which something that the handlers need is away. It begins
// with an answer that says so. From then on nothing begins but a probe, one event
// at a time, the first at once: where that gets another answer, nothing was away
// but for one event, and nobody is told.
type outage struct {
	since    time.Time // zero: there is none
	told     bool      // a probe has met it too
	err      error     // the last answer
	attempts int       // that were answered so
	probes   int
	probe    *Job      // under way
	due      time.Time // of the next one
	stalled  []*Job    // were answered so, and wait for the end
}

func (o *outage) on() bool { return !o.since.IsZero() }

// pick takes out the stalled job that is to probe; nil for none.
func (o *outage) pick() *Job {
	for len(o.stalled) > 0 {
		j := o.stalled[0]
		o.stalled[0], o.stalled = nil, o.stalled[1:]
		if j.state != jobDiscarded {
			return j
		}
	}
	return nil
}

// mayProbe reports whether it is time for a probe, and there is an event for it.
func (s *Scheduler) mayProbe() bool {
	o := &s.outage
	return o.probe == nil && s.candidates() > 0 && !s.now.Before(o.due) && !s.lapsed()
}

// candidates is how many jobs there are to probe with.
func (s *Scheduler) candidates() int { return s.ready.len() + len(s.outage.stalled) }

// stall puts a job aside that was answered with an outage. attempts is how many
// attempts that answer was for. An outage is told when the first probe has met it.
func (s *Scheduler) stall(j *Job, err error, attempts int) {
	s.stopped(j)
	j.state = jobReady
	j.src.settledInherited(j)
	j.blockFrom()
	if s.proofs.against(j) {
		j.doubts++ // it was one of a batch
	}
	j.failedAt, s.proofs.wanted = s.begun, true
	o := &s.outage
	if !o.on() {
		o.since, o.due = s.now, s.now
	}
	o.err = err
	o.attempts += attempts
	if j.first() { // the rest of its row follows
		o.stalled = append(o.stalled, j)
	}
	if o.probe != j {
		return
	}
	o.probe = nil
	o.probes++
	o.due = s.now.Add(s.cfg.ProbePause(o.probes))
	s.reschedule()
	if !o.told {
		o.told = true
		s.tell(OutageBegins, *o)
	}
}

// answered notes that a handler has answered with something else than an outage.
func (s *Scheduler) answered(j *Job, handled bool) {
	if handled {
		s.proofs.add(j)
	}
	if s.outage.probe == j {
		s.recover()
	}
}

// recover ends the outage, and has those begin that waited for its end.
func (s *Scheduler) recover() {
	over := s.outage
	s.outage = outage{}
	first := make([]*Job, 0, len(over.stalled))
	for _, j := range over.stalled {
		if j.state == jobDiscarded {
			continue
		}
		// One outage after the other, each over with the first probe, is that event's
		// own: it does not have everybody stop without a pause.
		if j.returns++; j.returns > 1 {
			s.delay(j, s.now.Add(s.cfg.ProbePause(j.returns-1)))
			continue
		}
		j.unblockRow()
		first = append(first, j)
	}
	s.ready.pushFront(first)
	if over.told {
		s.tell(OutageEnds, over)
	}
	for _, src := range s.sources {
		src.pull()
	}
}

// unanswered notes that a probe, if the job was one, has shown nothing.
func (s *Scheduler) unanswered(j *Job) {
	if s.outage.probe == j {
		s.outage.probe = nil
	}
}
