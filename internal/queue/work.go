package queue

import "slices"

// work hands jobs to workers, and settles what they did.
type work struct {
	env     *env
	rows    *rows
	retries *retries
	outages *outages
	sources *sources

	running int    // jobs that workers have
	begun   uint64 // counts the attempts
}

func (w *work) mayBegin() bool {
	if w.env.closed {
		return false
	}
	if w.outages.on() {
		return w.outages.mayProbe() && !w.sources.lapsed()
	}
	return !w.rows.ready.empty() && !w.sources.lapsed()
}

func (w *work) take(b *Batch) bool {
	b.reset()
	for w.mayBegin() {
		j := w.pick()
		if j == nil {
			continue
		}
		if w.outages.on() {
			w.outages.probe = j
			w.begin(b, j)
			return true
		}
		share := w.share()
		w.begin(b, j)
		w.fill(b, share)
		return true
	}
	return false
}

// pick removes the job that begins next from the ready jobs; nil if all ready jobs are
// discarded. A probe is a job that has not been tried yet, or the job whose last attempt
// is longest ago: so a single event that always answers with an outage stops no other.
func (w *work) pick() *Job {
	for !w.rows.ready.empty() {
		if j := w.rows.ready.pop(); j.state != jobDiscarded {
			return j
		}
	}
	return w.outages.pick()
}

// begin adds a job to a worker's batch.
func (w *work) begin(b *Batch, j *Job) {
	j.state = jobRunning
	w.begun++
	j.begunAt = w.begun
	w.running++
	j.src.running++
	b.Jobs = append(b.Jobs, j)
}

// share is how many jobs a worker may take. All jobs, waiting or under way, are
// divided evenly among the workers, so that no worker is idle while another has a
// long batch.
func (w *work) share() int {
	cfg := &w.env.cfg
	if cfg.MaxBatch == 1 {
		return 1
	}
	there := 0
	for _, src := range w.sources.all {
		there += src.active - len(src.session.held)
	}
	return min((there+cfg.Workers-1)/cfg.Workers, cfg.MaxBatch)
}

// fill adds waiting jobs to a batch of one, as far as there is room: the rest of its
// row, then the next row, and so on. A job that waits for another row gets only the
// rest of its own row.
func (w *work) fill(b *Batch, share int) {
	first := b.Jobs[0]
	if first.waits > 0 {
		share = w.env.cfg.MaxBatch
	}
	room := first.room(share)
	bytes := first.Size
	fits := func(j *Job) bool {
		room = min(room, j.room(share))
		bytes += j.Size
		return j.waits == 0 && len(b.Jobs) < room && bytes <= maxHandedBytes
	}
	for row := first; ; {
		for j := row.behind; j != nil; j = j.behind {
			if !fits(j) {
				return
			}
			w.begin(b, j)
		}
		if first.waits > 0 {
			return
		}
		row = w.rows.ready.peek()
		if row == nil || !fits(row) {
			return
		}
		w.rows.ready.pop()
		w.begin(b, row)
	}
}

func (w *work) done(b *Batch) {
	b.sources = b.sources[:0]
	attempts := 1
	for i, j := range b.Jobs {
		w.settle(j, b.verdicts[i], attempts)
		if b.verdicts[i].Kind == Stalled {
			attempts = 0 // the batch's outage counts once
		}
		if !slices.Contains(b.sources, j.src) {
			b.sources = append(b.sources, j.src)
		}
	}
	for _, src := range b.sources {
		src.pull()
	}
	b.reset()
}

// settle notes the outcome of a job. attempts is the number of attempts that an
// outage counts for it.
func (w *work) settle(j *Job, v Verdict, attempts int) {
	mine := j.src.mine() && !j.doubted
	if v.Kind == Stalled && mine {
		w.stopped(j)
		j.src.settledInherited(j)
		w.outages.stall(j, v.Err, attempts, w.begun)
		return
	}
	if w.outages.answered(j, v.Evidence) {
		w.sources.pull()
	}
	switch {
	case v.Kind == Finished:
		w.stopped(j)
		j.src.remember(j.Seq)
		w.rows.remove(j)
	case v.Kind == Retry && mine:
		w.stopped(j)
		j.src.settledInherited(j)
		w.retries.add(j, w.env.now.Add(v.After))
	case v.Kind == Untried && mine, v.Kind == Abandoned && mine && w.env.cfg.Ordered:
		// A job of an ordered lane that is abandoned here was in doubt when its handler
		// ended, and has been delivered here again. If that delivery were given back,
		// newer copies of its row would pass it.
		w.release(j)
	default: // the server delivers it again, here or to another instance
		w.stopped(j)
		w.giveBack(j)
	}
}

// giveBack makes the server deliver a job again. The rest of its row in the same batch
// must not begin before that job: the rest is given back too, except handled jobs. An
// earlier job of the row may still wait here for another attempt.
func (w *work) giveBack(j *Job) {
	w.env.ack(AckNak, j.Reply)
	for next := j.behind; next != nil; next = next.behind {
		if next.state == jobRunning {
			next.doubted = true
		}
	}
	if j.first() {
		w.rows.remove(j)
		return
	}
	j.src.unlink(j)
	j.state = jobDiscarded
	w.rows.leave(j)
}

// release puts back a job that was not tried.
func (w *work) release(j *Job) {
	w.stopped(j)
	j.state = jobReady
	if j.first() {
		w.rows.offer(j)
	}
}

// stopped notes that a worker has finished with a job.
func (w *work) stopped(j *Job) {
	w.running--
	j.src.running--
	if j.src.closed && j.src.running == 0 {
		w.sources.free(j.src)
	}
}
