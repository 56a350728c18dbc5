package queue

import (
	"slices"
	"time"
)

// Scheduler holds the jobs of all sources and hands them to workers: jobs of one row
// in order and one at a time, jobs of different rows concurrently. Its methods must
// not be called concurrently. Methods that take a time are inputs; the time must not
// go backwards.
//
// Each part knows one thing. A part calls those that it depends on, and New connects
// them. The Scheduler takes the inputs, and orders the parts.
type Scheduler struct {
	env

	rows     rows     // the jobs by their rows
	retries  retries  // the jobs that wait for their next attempt
	proofs   proofs   // which resources were there, and when
	outages  outages  // a time without something that the handlers need
	sources  sources  // the consumers in use, and how long they are held
	spills   spills   // the dead letters of events that made room
	work     work     // the jobs that workers have
	attempts attempts // the verdicts on events
}

// New makes a scheduler without sources and jobs.
func New(now time.Time, cfg Config) *Scheduler {
	s := &Scheduler{
		env:     env{cfg: cfg, clock: newClock(now, cfg.progressEvery())},
		rows:    rows{lines: make(map[Row]*line)},
		proofs:  proofs{last: make(map[string]uint64)},
		sources: sources{lease: lease{from: now, ttl: leaseTTL}},
	}
	s.retries = retries{env: &s.env, rows: &s.rows}
	s.outages = outages{env: &s.env, rows: &s.rows, retries: &s.retries, proofs: &s.proofs}
	s.sources.env, s.sources.rows, s.sources.outages = &s.env, &s.rows, &s.outages
	s.spills = spills{env: &s.env}
	s.work = work{env: &s.env, rows: &s.rows, retries: &s.retries, outages: &s.outages, sources: &s.sources}
	s.attempts = attempts{env: &s.env, proofs: &s.proofs, spills: &s.spills}
	return s
}

// Open opens the only source of a lane without order. created is when its consumer was
// created; zero while that is unknown.
func (s *Scheduler) Open(now, created time.Time) *Source {
	s.now = now
	return s.sources.open(created)
}

// MayBegin reports whether Take would return a batch.
func (s *Scheduler) MayBegin(now time.Time) bool {
	s.now = now
	return s.work.mayBegin()
}

// Take fills b with the next jobs for a worker; false when there is no job to begin
// now.
func (s *Scheduler) Take(now time.Time, b *Batch) bool {
	s.now = now
	return s.work.take(b)
}

// Done notes the outcome of a batch by the verdicts of its jobs. The driver has
// already acknowledged the done jobs.
func (s *Scheduler) Done(now time.Time, b *Batch) {
	s.now = now
	s.work.done(b)
}

// Acknowledging notes that jobs were handled, or have their dead letters, and that the
// driver is about to acknowledge them. From now on the server may have settled these
// jobs, so they do not account for deliveries that the server counts. Done follows, for
// a batch after all of its parts.
func (s *Scheduler) Acknowledging(now time.Time, jobs ...*Job) {
	s.now = now
	for _, j := range jobs {
		j.settled = true
	}
}

// Judge decides on a worker's job whose handler returned an error. Done settles the
// job.
func (s *Scheduler) Judge(now time.Time, j *Job, a Answer) Verdict {
	s.now = now
	return s.attempts.judge(j, a)
}

// Buried decides on a job after an attempt to store its dead letter.
func (s *Scheduler) Buried(now time.Time, j *Job, l Letter) Verdict {
	s.now = now
	return s.attempts.buried(j, l)
}

// Delivered takes a message.
func (s *Scheduler) Delivered(now time.Time, src *Source, j *Job, at Place) {
	s.now = now
	src.delivered(j, at)
}

// PullEnded takes the server's message that a request has ended. unsent is how many
// messages of the request will not come; -1 means all requested messages.
func (s *Scheduler) PullEnded(now time.Time, src *Source, epoch int, end PullEnd, unsent int) {
	s.now = now
	src.pullEnded(epoch, end, unsent)
}

// Refresh updates a pull that is about to be sent, and reports whether its
// subscription still stands.
func (s *Scheduler) Refresh(p *Pull) bool {
	p.Pin = p.Source.Pin
	return p.Epoch == p.Source.epoch
}

// ConsumerInfo takes the answer to an InfoRequest; nil where no answer came.
func (s *Scheduler) ConsumerInfo(now time.Time, req InfoRequest, info *Info) {
	s.now = now
	req.Source.informed(req, info)
}

// Assigned takes a hub's answer: the partitions of this instance, and the lease. sent
// is when the request was sent. It reports whether a partition was given up at once,
// so that another instance may have it.
func (s *Scheduler) Assigned(now, sent time.Time, ttl time.Duration, partitions []int) (freed bool) {
	s.now = now
	return s.sources.assigned(sent, ttl, partitions)
}

// Unanswered notes that a request for partitions, sent at that time, got no answer.
// Without a hub, no partition changes its holder. Otherwise the lease runs out.
func (s *Scheduler) Unanswered(now, sent time.Time, why Silence) {
	s.now = now
	if why == NoHub {
		s.sources.noHub(sent)
		return
	}
	s.sources.lease.silent = true // CheckLease finds when the lease is over
}

// CheckLease discards every job that has not begun when the lease is over, because
// another instance may have the job. If a hub or the pin confirms a partition, the jobs
// of that partition are collected again.
func (s *Scheduler) CheckLease(now time.Time) {
	s.now = now
	s.sources.checkLease()
}

// Tick runs the periodic work that is due: retries, requests for consumer info,
// in-progress acknowledgements, stalled pulls.
func (s *Scheduler) Tick(now time.Time) {
	s.now = now
	if s.tick(s.cfg.progressEvery()) {
		s.sources.progress()
	}
	if s.second() {
		s.everySecond()
	}
	s.retries.revive()
	for _, src := range s.sources.all {
		src.session.tick(src)
	}
}

// everySecond looks for silent sources and for queues that stand still.
func (s *Scheduler) everySecond() {
	s.outages.lasts()
	for _, src := range s.sources.all {
		src.watch()
	}
	if s.closed {
		return
	}
	crowded := s.sources.crowded()
	if !crowded && !s.outages.on() {
		s.spills.redrive()
	}
}

// Next is when Tick is due.
func (s *Scheduler) Next() time.Time {
	next := earliest(s.nextTick, s.nextSecond, s.outages.nextProbe())
	if j := s.retries.next(); j != nil {
		next = earliest(next, j.due)
	}
	for _, src := range s.sources.all {
		next = earliest(next, src.session.look.due)
	}
	return next
}

// Redriven takes the outcome of a request to redrive dead letters. If the request
// failed, all letters are requested again; if more remain, the letters with a
// sequence greater than next.
func (s *Scheduler) Redriven(now time.Time, letters []uint64, failed, more bool, next uint64) {
	s.now = now
	s.spills.redriven(letters, failed, more, next)
}

// Reconnected notes that the connection was lost and is established again: requests and
// messages under way are lost.
func (s *Scheduler) Reconnected(now time.Time) {
	s.now = now
	for _, src := range s.sources.all {
		src.asked = 0
		src.session.interrupted(src)
		src.pull()
	}
}

// Drain ends the intake and gives back the jobs that have not begun. The driver still
// reports the running jobs with Done.
func (s *Scheduler) Drain(now time.Time) {
	s.now = now
	s.sources.closeAll()
	s.closed = true
}

// InFlight returns how many events are taken and not settled.
func (s *Scheduler) InFlight() int { return s.sources.inFlight() }

// Waiting counts the events whose last answer was that they wait for another row. The
// events behind them in their rows do not count.
func (s *Scheduler) Waiting() Waiting { return s.sources.waiting() }

// Held returns the partitions that this instance works on, including those that it is
// giving up.
func (s *Scheduler) Held() []int { return s.sources.held() }

// Spilled is how many dead letters are not yet redriven. If the scheduler ends now,
// they stay in the stream of dead letters.
func (s *Scheduler) Spilled() int { return len(s.spills.letters) }

// Sources returns the consumers in use, including those that only wait for their
// handlers to end.
func (s *Scheduler) Sources() []*Source { return slices.Clone(s.sources.all) }
