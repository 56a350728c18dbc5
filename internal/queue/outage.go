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

// outages is the part that knows whether there is an outage, and decides on probes.
type outages struct {
	env     *env
	rows    *rows
	retries *retries
	proofs  *proofs

	outage
}

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
func (o *outages) mayProbe() bool {
	return o.probe == nil && o.candidates() > 0 && !o.env.now.Before(o.due)
}

// nextProbe is when the next probe is due; zero if that is now or not known.
func (o *outages) nextProbe() time.Time {
	if o.on() && o.probe == nil && o.env.now.Before(o.due) {
		return o.due
	}
	return time.Time{}
}

// candidates is how many jobs may serve as a probe.
func (o *outages) candidates() int { return o.rows.ready.len() + len(o.stalled) }

// stall holds a job that does not run any more, whose handler answered with an outage.
// attempts is the number of attempts that the answer counts for, and begun the number of
// the attempt that began last. An outage is reported when the first probe is answered
// with an outage too.
func (o *outages) stall(j *Job, err error, attempts int, begun uint64) {
	j.state = jobReady
	j.blockFrom()
	if o.proofs.against(j) {
		j.doubts++ // the job was one of a batch
	}
	j.failedAt, o.proofs.wanted = begun, true
	if !o.on() {
		o.since, o.due = o.env.now, o.env.now
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
	o.due = o.env.now.Add(o.env.cfg.ProbePause(o.probes))
	o.env.reschedule()
	if !o.told && !o.env.closed { // after Drain the end of the outage would not be reported
		o.told = true
		o.env.tell(OutageBegins, o.outage)
	}
}

// lasts reports an outage that lasts, with the attempts of the last second.
func (o *outages) lasts() {
	if o.told {
		o.env.tell(OutageLasts, o.outage)
	}
}

// answered notes what a job's answer, which is no outage, shows. It reports whether an
// outage is over. A probe that ended without an answer has no result.
func (o *outages) answered(j *Job, e Evidence) (over bool) {
	if e == WasHandled {
		o.proofs.add(j)
	}
	if o.probe != j {
		return false
	}
	o.probe = nil
	if e != NoEvidence {
		o.recover()
	}
	return e != NoEvidence
}

// recover ends the outage, and makes the jobs ready that waited for its end.
func (o *outages) recover() {
	over := o.outage
	o.outage = outage{}
	first := make([]*Job, 0, len(over.stalled))
	for _, j := range over.stalled {
		if j.state == jobDiscarded {
			continue
		}
		// If outages follow one another, and each ends with the first probe, then one
		// event causes them: it must not stop all others without a pause.
		if j.returns++; j.returns > 1 {
			o.retries.add(j, o.env.now.Add(o.env.cfg.ProbePause(j.returns-1)))
			continue
		}
		j.unblockRow()
		first = append(first, j)
	}
	o.rows.ready.pushFront(first)
	if over.told {
		o.env.tell(OutageEnds, over)
	}
}
