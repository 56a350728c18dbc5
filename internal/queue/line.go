package queue

// rows are the jobs by their rows, and the jobs that are ready to begin.
type rows struct {
	lines map[Row]*line
	ready fifo
}

// line holds the jobs of one row in order. Its head is ready, running or waiting. The
// other jobs follow when those before them are settled, or run in the head's batch.
type line struct{ head, tail *Job }

// enqueue inserts a job behind the older jobs of its row.
func (r *rows) enqueue(j *Job) {
	if j.Row.Key == "" {
		r.offer(j)
		return
	}
	l := r.lines[j.Row]
	if l == nil {
		j.line = &line{head: j, tail: j}
		r.lines[j.Row] = j.line
		r.offer(j)
		return
	}
	j.line = l
	if l.head.blocked {
		j.block()
	}
	if l.tail.Seq < j.Seq {
		l.tail.behind = j
		l.tail = j
		return
	}
	at := l.head // the head has begun, and so has the rest of its batch
	for at.behind != nil && (at.behind.state == jobRunning || at.behind.Seq < j.Seq) {
		at = at.behind
	}
	j.behind, at.behind = at.behind, j
	if j.behind == nil {
		l.tail = j
	}
}

// offer makes a job ready.
func (r *rows) offer(j *Job) {
	j.state = jobReady
	r.ready.push(j)
}

// first reports whether no job of the row is before this one.
func (j *Job) first() bool { return j.line == nil || j.line.head == j }

// remove removes a job that does not run and is the first of its row, and makes the
// next job of the row ready.
func (r *rows) remove(j *Job) {
	j.src.unlink(j)
	l := j.line
	if l == nil {
		return
	}
	l.head = j.behind
	if l.head == nil {
		delete(r.lines, j.Row)
		return
	}
	l.unblock()
	if l.head.state != jobRunning { // in the same batch
		r.offer(l.head)
	}
}

// leave removes a discarded job from its row's line.
func (r *rows) leave(j *Job) {
	l := r.lines[j.Row]
	if l == nil || l != j.line {
		return
	}
	l.tail = nil
	var last *Job
	for at := l.head; at != nil; at = at.behind {
		if at.state == jobDiscarded {
			continue
		}
		if last == nil {
			l.head = at
		} else {
			last.behind = at
		}
		last, l.tail = at, at
	}
	if last == nil {
		delete(r.lines, j.Row)
		return
	}
	last.behind = nil
}

// blockFrom notes that a job and all of its row behind it wait.
func (j *Job) blockFrom() {
	for at := j; at != nil; at = at.behind {
		at.block()
	}
}

// unblockRow notes that a job and its row no longer wait.
func (j *Job) unblockRow() {
	if j.line == nil {
		j.unblock()
		return
	}
	j.line.unblock()
}

func (l *line) unblock() {
	for at := l.head; at != nil; at = at.behind {
		at.unblock()
	}
}

func (j *Job) block() {
	if !j.blocked {
		j.blocked = true
		j.src.active--
	}
}

func (j *Job) unblock() {
	if j.blocked {
		j.blocked = false
		j.src.active++
	}
}
