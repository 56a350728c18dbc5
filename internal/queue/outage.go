package queue

import "time"

// outage is a time in which something that the handlers need is unavailable. It begins
// with an answer that says so. From then on only probes begin, one event at a time. The
// first probe begins at once. If it gets another answer, only one event was affected,
// and no outage is reported.
type outage struct {
	since    time.Time // zero without an outage
	told     bool      // a probe was answered with an outage too, so the outage is reported
	err      error     // the last answer
	attempts int       // attempts that were answered with an outage
	probes   int
	probe    *Job      // under way
	due      time.Time // of the next one
	stalled  []*Job    // were answered with an outage, and wait for its end
}

func (o *outage) on() bool { return !o.since.IsZero() }

// pick takes out the stalled job for the next probe; nil for none.
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

// mayProbe reports whether a probe is due and there is an event for it.
func (s *Scheduler) mayProbe() bool {
	o := &s.outage
	return o.probe == nil && s.candidates() > 0 && !s.now.Before(o.due) && !s.lapsed()
}

// candidates is how many jobs may serve as a probe.
func (s *Scheduler) candidates() int { return s.ready.len() + len(s.outage.stalled) }

// stall holds a job whose handler answered with an outage. attempts is the number of
// attempts that the answer counts for. An outage is reported when the first probe is
// answered with an outage too.
func (s *Scheduler) stall(j *Job, err error, attempts int) {
	s.stopped(j)
	j.state = jobReady
	j.src.settledInherited(j)
	j.blockFrom()
	if s.proofs.against(j) {
		j.doubts++ // the job was one of a batch
	}
	j.failedAt, s.proofs.wanted = s.begun, true
	o := &s.outage
	if !o.on() {
		o.since, o.due = s.now, s.now
	}
	o.err = err
	o.attempts += attempts
	if j.first() { // the job is the head, and the rest of its row follows
		o.stalled = append(o.stalled, j)
	}
	if o.probe != j {
		return
	}
	o.probe = nil
	o.probes++
	o.due = s.now.Add(s.cfg.ProbePause(o.probes))
	s.reschedule()
	if !o.told && !s.closed { // after Drain the end of the outage would not be reported
		o.told = true
		s.tell(OutageBegins, *o)
	}
}

// answered notes that a handler has given an answer that is not an outage.
func (s *Scheduler) answered(j *Job, handled bool) {
	if handled {
		s.proofs.add(j)
	}
	if s.outage.probe == j {
		s.recover()
	}
}

// recover ends the outage, and makes the jobs ready that waited for its end.
func (s *Scheduler) recover() {
	over := s.outage
	s.outage = outage{}
	first := make([]*Job, 0, len(over.stalled))
	for _, j := range over.stalled {
		if j.state == jobDiscarded {
			continue
		}
		// If outages follow one another, and each ends with the first probe, then one
		// event causes them: it must not stop all others without a pause.
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

// unanswered notes that a job ended without an answer. If it was a probe, the probe
// has no result.
func (s *Scheduler) unanswered(j *Job) {
	if s.outage.probe == j {
		s.outage.probe = nil
	}
}
