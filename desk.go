package replhub

import (
	"container/heap"
	"sync"
	"time"
)

// desk hands the jobs of all sources to workers: those of one row in order and
// one at a time, those of different rows side by side. Its mutex guards the
// sources too: a message costs two rounds of it, one on arrival and one when it
// is done.
type desk struct {
	mu   sync.Mutex // guards all below, and what jobs and sources say it does
	wake sync.Cond
	// idle workers wait; at most one of them is being woken, and wakes the next.
	idle   int
	waking bool

	ready   queue
	lines   map[row]*rowLine
	waiting waiting
	soonest chan struct{} // holds a token when waiting has a new first

	running int
	begun   uint64 // counts the attempts
	closed  bool
	quiet   chan struct{} // closed when the desk is and nothing runs any more

	sources map[*source]bool // open, or with handlers under way
	tick    uint32           // counts the rounds of "still at work"
	seconds uint32           // counts seconds, roughly
	lease   *lease           // nil when there are no partitions to hold

	workers  int
	maxBatch int

	// spills are the dead letters of events that gave their places up to others, to be
	// redriven, which redriving says is under way.
	spills    []uint64
	redriving bool

	outage     outage
	probePause func(probes int) time.Duration
	stalls     bool              // there ever was an outage
	proved     map[string]uint64 // by entity, the last begun of those that were handled since
}

// rowLine are the jobs of one row in order; its head is ready, running or
// waiting.
type rowLine struct{ head, tail *job }

func newDesk(l *lease) *desk {
	d := &desk{
		lines: make(map[row]*rowLine), sources: make(map[*source]bool), soonest: make(chan struct{}, 1), quiet: make(chan struct{}), lease: l,
		proved: make(map[string]uint64), workers: 1, maxBatch: 1,
	}
	d.wake.L = &d.mu
	return d
}

// enqueue takes a job in, behind those of its row that are older.
func (d *desk) enqueue(j *job) {
	if j.row.key == "" {
		d.offer(j)
		return
	}
	line := d.lines[j.row]
	if line == nil {
		j.line = &rowLine{head: j, tail: j}
		d.lines[j.row] = j.line
		d.offer(j)
		return
	}
	j.line = line
	if line.head.blocked {
		j.block()
	}
	if line.tail.seq < j.seq {
		line.tail.behind = j
		line.tail = j
		return
	}
	at := line.head // has begun, whatever comes now, and the rest of its batch too
	for at.behind != nil && (at.behind.state == jobRunning || at.behind.seq < j.seq) {
		at = at.behind
	}
	j.behind, at.behind = at.behind, j
	if j.behind == nil {
		line.tail = j
	}
}

// offer makes a job ready and sees to a worker.
func (d *desk) offer(j *job) {
	j.state = jobReady
	d.ready.push(j)
	d.rouse()
}

// rouse wakes a worker, who wakes the next one if there is something for it too.
func (d *desk) rouse() {
	if d.idle > 0 && !d.waking {
		d.waking = true
		d.wake.Signal()
	}
}

// next waits for something to do and puts it into b; false when the desk is closed.
func (d *desk) next(b *bundle) bool {
	clear(b.jobs)
	b.jobs = b.jobs[:0]
	for {
		for !d.closed && !d.mayBegin() {
			d.idle++
			d.wake.Wait()
			d.idle--
			d.waking = false
		}
		if d.closed {
			return false
		}
		j := d.pick()
		if j == nil {
			continue
		}
		if d.outage.on() {
			d.outage.probe = j
			d.begin(b, j)
			return true
		}
		share := d.share()
		d.begin(b, j)
		d.fill(b, share)
		if !d.ready.empty() {
			d.rouse()
		}
		return true
	}
}

// begin adds a job to what a worker has under way.
func (d *desk) begin(b *bundle, j *job) {
	j.state = jobRunning
	d.begun++
	j.begunAt = d.begun
	d.running++
	j.src.running++
	b.jobs = append(b.jobs, j)
}

// lapsed reports whether the time is over for which partitions are held.
func (d *desk) lapsed() bool { return d.lease != nil && d.lease.over(time.Now()) }

// done takes a job out that is settled, and lets the next of its row go.
func (d *desk) done(j *job) {
	d.stopped(j)
	j.src.remember(j.seq)
	d.remove(j)
}

// remove takes out a job that does not run and is the first of its row.
func (d *desk) remove(j *job) {
	j.src.unlink(j)
	line := j.line
	if line == nil {
		return
	}
	line.head = j.behind
	if line.head == nil {
		delete(d.lines, j.row)
		return
	}
	d.unblock(line)
	if line.head.state != jobRunning { // in the same batch
		d.offer(line.head)
	}
}

// release puts a job back that was not tried.
func (d *desk) release(j *job) {
	d.stopped(j)
	j.state = jobReady
	if j.line == nil || j.line.head == j {
		d.offer(j)
	}
}

// stopped notes that a worker is through with a job.
func (d *desk) stopped(j *job) {
	d.running--
	j.src.running--
	if j.src.running == 0 && j.src.quiet != nil {
		close(j.src.quiet)
		delete(d.sources, j.src)
	}
	if d.closed && d.running == 0 {
		close(d.quiet)
	}
}

// again lets a job wait for its next attempt, and all of its row with it. They
// do not count against what may be in flight meanwhile: a row that fails must
// not keep others out.
func (d *desk) again(j *job, due time.Time) {
	d.stopped(j)
	j.src.settledOld(j)
	d.delay(j, due)
}

// delay lets a job that does not run wait.
func (d *desk) delay(j *job, due time.Time) {
	j.state, j.due = jobWaiting, due
	d.block(j)
	heap.Push(&d.waiting, j)
	if d.waiting[0] == j {
		d.poke()
	}
}

func (d *desk) poke() {
	select {
	case d.soonest <- struct{}{}:
	default:
	}
}

// revive makes those ready whose time has come, has a probe made that is due, and
// returns when the next of either is; the zero time when there is none.
func (d *desk) revive(now time.Time) time.Time {
	next := d.reviveWaiting(now)
	if probe := d.nextProbe(now); next.IsZero() || !probe.IsZero() && probe.Before(next) {
		return probe
	}
	return next
}

func (d *desk) reviveWaiting(now time.Time) time.Time {
	for len(d.waiting) > 0 {
		j := d.waiting[0]
		if j.state != jobDropped && j.due.After(now) {
			return j.due
		}
		heap.Pop(&d.waiting)
		if j.state == jobDropped {
			continue
		}
		d.unblockFrom(j)
		d.offer(j)
	}
	return time.Time{}
}

// block notes that a job and all of its row behind it wait.
func (d *desk) block(j *job) {
	for at := j; at != nil; at = at.behind {
		at.block()
	}
}

// unblockFrom ends that of a job and its row.
func (d *desk) unblockFrom(j *job) {
	if j.line == nil {
		j.unblock()
		return
	}
	d.unblock(j.line)
}

func (d *desk) unblock(line *rowLine) {
	for at := line.head; at != nil; at = at.behind {
		at.unblock()
	}
}

// shut ends the handing out; it is called once.
func (d *desk) shut() {
	d.closed = true
	if d.running == 0 {
		close(d.quiet)
	}
	d.wake.Broadcast()
}

func (j *job) block() {
	if !j.blocked {
		j.blocked = true
		j.src.active--
	}
}

func (j *job) unblock() {
	if j.blocked {
		j.blocked = false
		j.src.active++
	}
}

// queue is a first-in, first-out queue of jobs.
type queue struct {
	jobs []*job
	head int
}

func (q *queue) empty() bool { return q.head == len(q.jobs) }

func (q *queue) len() int { return len(q.jobs) - q.head }

// pushFront puts jobs before all others.
func (q *queue) pushFront(jobs []*job) {
	q.jobs, q.head = append(jobs, q.jobs[q.head:]...), 0
}

func (q *queue) push(j *job) {
	if q.head > 1024 && q.head*2 > len(q.jobs) {
		n := copy(q.jobs, q.jobs[q.head:])
		clear(q.jobs[n:])
		q.jobs, q.head = q.jobs[:n], 0
	}
	q.jobs = append(q.jobs, j)
}

func (q *queue) pop() *job {
	j := q.jobs[q.head]
	q.jobs[q.head] = nil
	q.head++
	if q.empty() {
		q.jobs, q.head = q.jobs[:0], 0
	}
	return j
}
