package replhub

import "time"

// outage is a time in which something that the handlers need is away. It begins
// with an answer that says so. From then on nothing begins but a probe, one event
// at a time, the first at once: where that gets another answer, nothing was away
// but for one event, and nobody is told. The desk's mutex guards it.
type outage struct {
	since    time.Time // zero: there is none
	told     bool      // a probe has met it too
	err      error     // the last answer
	attempts int       // that were answered so
	probes   int
	probe    *job      // under way
	due      time.Time // of the next one
	stalled  []*job    // were answered so, and wait for the end
}

func (o *outage) on() bool { return !o.since.IsZero() }

// mayBegin reports whether there is something to begin now.
func (d *desk) mayBegin() bool {
	if d.outage.on() {
		return d.outage.probe == nil && d.candidates() > 0 && !time.Now().Before(d.outage.due) && !d.lapsed()
	}
	return !d.ready.empty() && !d.lapsed()
}

// candidates is how many jobs there are to probe with.
func (d *desk) candidates() int { return d.ready.len() + len(d.outage.stalled) }

// pick takes out the job that is to begin; nil where all that there was is dropped.
// A probe is one that has not been tried yet, or the one whose last attempt is
// longest ago: a single event that always answers so stops nobody else.
func (d *desk) pick() *job {
	for !d.ready.empty() {
		if j := d.ready.pop(); j.state != jobDropped {
			return j
		}
	}
	o := &d.outage
	for len(o.stalled) > 0 {
		j := o.stalled[0]
		o.stalled[0], o.stalled = nil, o.stalled[1:]
		if j.state != jobDropped {
			return j
		}
	}
	return nil
}

// stall puts a job aside that was answered with an outage. attempts is how many jobs
// that answer was for. It reports whether the outage is to be told: that of the first
// probe is.
func (d *desk) stall(j *job, err error, attempts int, now time.Time) (tell bool) {
	d.stopped(j)
	j.state = jobReady
	j.src.settledOld(j)
	d.block(j)
	if j.ownFault() {
		j.doubts++ // it was one of a batch
	}
	j.failedAt, d.stalls = d.begun, true
	o := &d.outage
	if !o.on() {
		o.since, o.due = now, now
	}
	o.err = err
	o.attempts += attempts
	if j.line == nil || j.line.head == j { // the rest of its row follows
		o.stalled = append(o.stalled, j)
	}
	if o.probe == j {
		o.probe = nil
		o.probes++
		o.due = now.Add(d.probePause(o.probes))
		tell, o.told = !o.told, true
	}
	d.poke()
	return tell
}

// answered notes that a handler has answered with something else than an outage.
func (d *desk) answered(j *job, handled bool) (over outage) {
	if handled && d.stalls {
		d.proved[j.row.entity] = max(d.proved[j.row.entity], j.begunAt)
	}
	if d.outage.probe != j {
		return outage{}
	}
	over = d.outage
	d.outage = outage{}
	now := time.Now()
	first := make([]*job, 0, len(over.stalled))
	for _, s := range over.stalled {
		if s.state == jobDropped {
			continue
		}
		// One outage after the other, each over with the first probe, is that event's
		// own: it does not have everybody stop without a pause.
		if s.returns++; s.returns > 1 {
			d.delay(s, now.Add(d.probePause(s.returns-1)))
			continue
		}
		d.unblockFrom(s)
		first = append(first, s)
	}
	d.ready.pushFront(first)
	d.rouse()
	return over
}

// unanswered notes that a probe, if the job was one, has shown nothing.
func (d *desk) unanswered(j *job) {
	if d.outage.probe == j {
		d.outage.probe = nil
		d.poke()
	}
}

// ownFault reports whether it is the job's own that it is answered with an outage:
// another of its entity, begun after its last such answer, was handled.
func (j *job) ownFault() bool {
	return j.failedAt != 0 && j.src.desk.proved[j.row.entity] > j.failedAt
}

// nextProbe has a worker make the probe that is due, and returns when the next one
// is; the zero time when there is none to wait for.
func (d *desk) nextProbe(now time.Time) time.Time {
	o := &d.outage
	if !o.on() || o.probe != nil {
		return time.Time{}
	}
	if now.Before(o.due) {
		return o.due
	}
	d.rouse()
	return time.Time{}
}
