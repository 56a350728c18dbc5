package queue

import (
	"slices"
	"time"
)

// Scheduler holds the jobs of all sources and hands them to workers: jobs of one row
// in order and one at a time, jobs of different rows concurrently. Its methods must
// not be called concurrently. Methods that take a time are inputs; the time must not
// go backwards.
type Scheduler struct {
	cfg Config
	now time.Time // of the input under way
	outputs

	sources []*Source // open, or with running handlers
	shares  int       // number of sources among which MaxInFlight is divided
	lease   lease     // unused in a lane without order

	rows
	retries retries
	running int
	begun   uint64 // counts the attempts
	closed  bool

	outage outage
	proofs proofs
	spills spills

	ticks   uint32 // counts the rounds of in-progress acknowledgements
	seconds uint32 // counts seconds, roughly; does not advance while the process stands still
	// When the next round and the next second are due.
	nextTick, nextSecond time.Time
}

// New makes a scheduler without sources and jobs.
func New(now time.Time, cfg Config) *Scheduler {
	return &Scheduler{
		cfg: cfg, now: now, lease: lease{from: now, ttl: leaseTTL},
		rows: rows{lines: make(map[Row]*line)}, proofs: proofs{last: make(map[string]uint64)},
		nextTick: now.Add(cfg.progressEvery()), nextSecond: now.Add(time.Second),
	}
}

// progressEvery is the time between rounds of in-progress acknowledgements.
func (c *Config) progressEvery() time.Duration { return max(c.AckWait/4, 10*time.Millisecond) }

// MayBegin reports whether Take would return a batch.
func (s *Scheduler) MayBegin(now time.Time) bool {
	s.now = now
	return s.mayBegin()
}

func (s *Scheduler) mayBegin() bool {
	if s.closed {
		return false
	}
	if s.outage.on() {
		return s.mayProbe()
	}
	return !s.ready.empty() && !s.lapsed()
}

// Take fills b with the next jobs for a worker; false when there is no job to begin
// now.
func (s *Scheduler) Take(now time.Time, b *Batch) bool {
	s.now = now
	b.reset()
	for s.mayBegin() {
		j := s.pick()
		if j == nil {
			continue
		}
		if s.outage.on() {
			s.outage.probe = j
			s.begin(b, j)
			return true
		}
		share := s.share()
		s.begin(b, j)
		s.fill(b, share)
		return true
	}
	return false
}

// pick removes the job that begins next from the ready jobs; nil if all ready jobs are
// discarded. A probe is a job that has not been tried yet, or the job whose last attempt
// is longest ago: so a single event that always answers with an outage stops no other.
func (s *Scheduler) pick() *Job {
	for !s.ready.empty() {
		if j := s.ready.pop(); j.state != jobDiscarded {
			return j
		}
	}
	return s.outage.pick()
}

// begin adds a job to a worker's batch.
func (s *Scheduler) begin(b *Batch, j *Job) {
	j.state = jobRunning
	s.begun++
	j.begunAt = s.begun
	s.running++
	j.src.running++
	b.Jobs = append(b.Jobs, j)
}

// Done notes the outcome of a batch by the verdicts of its jobs. The driver has
// already acknowledged the done jobs.
func (s *Scheduler) Done(now time.Time, b *Batch) {
	s.now = now
	b.sources = b.sources[:0]
	attempts := 1
	for i, j := range b.Jobs {
		s.settle(j, b.verdicts[i], attempts)
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

// settle notes the outcome of a job. attempts is the number of attempts that an
// outage counts for it.
func (s *Scheduler) settle(j *Job, v Verdict, attempts int) {
	mine := j.src.mine() && !j.doubted
	switch {
	case v.Kind == Stalled && mine:
		s.stall(j, v.Err, attempts)
		return
	case v.Evidence == NoEvidence:
		s.unanswered(j)
	default:
		s.answered(j, v.Evidence == WasHandled)
	}
	switch {
	case v.Kind == Finished:
		s.stopped(j)
		j.src.remember(j.Seq)
		s.remove(j)
	case v.Kind == Retry && mine:
		s.retry(j, s.now.Add(v.After))
	case v.Kind == Untried && mine, v.Kind == Abandoned && mine && s.cfg.Ordered:
		// A job of an ordered lane that is abandoned here was in doubt when its handler
		// ended, and has been delivered here again. If that delivery were given back,
		// newer copies of its row would pass it.
		s.release(j)
	default: // the server delivers it again, here or to another instance
		s.stopped(j)
		s.giveBack(j)
	}
}

// giveBack makes the server deliver a job again. The rest of its row in the same batch
// must not begin before that job: the rest is given back too, except handled jobs. An
// earlier job of the row may still wait here for another attempt.
func (s *Scheduler) giveBack(j *Job) {
	s.ack(AckNak, j.Reply)
	for next := j.behind; next != nil; next = next.behind {
		if next.state == jobRunning {
			next.doubted = true
		}
	}
	if j.first() {
		s.remove(j)
		return
	}
	j.src.unlink(j)
	j.state = jobDiscarded
	s.leave(j)
}

// release puts back a job that was not tried.
func (s *Scheduler) release(j *Job) {
	s.stopped(j)
	j.state = jobReady
	if j.first() {
		s.offer(j)
	}
}

// stopped notes that a worker has finished with a job.
func (s *Scheduler) stopped(j *Job) {
	s.running--
	j.src.running--
	if j.src.closed && j.src.running == 0 {
		s.free(j.src)
	}
}

// Tick runs the periodic work that is due: retries, requests for consumer info,
// in-progress acknowledgements, stalled pulls.
func (s *Scheduler) Tick(now time.Time) {
	s.now = now
	if !now.Before(s.nextTick) {
		s.nextTick = now.Add(s.cfg.progressEvery())
		s.progress()
	}
	if !now.Before(s.nextSecond) {
		s.nextSecond = now.Add(time.Second)
		s.second()
	}
	s.revive()
	for _, src := range s.sources {
		src.session.tick(src)
	}
}

// Next is when Tick is due.
func (s *Scheduler) Next() time.Time {
	next := s.nextTick
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	earlier(s.nextSecond)
	if j := s.retries.next(); j != nil {
		earlier(j.due)
	}
	if s.outage.on() && s.outage.probe == nil && s.now.Before(s.outage.due) {
		earlier(s.outage.due)
	}
	for _, src := range s.sources {
		earlier(src.session.look.due)
	}
	return next
}

// progress sends in-progress acknowledgements for the jobs that have been in flight
// for a quarter of the ack wait or longer.
func (s *Scheduler) progress() {
	s.ticks++
	for _, src := range s.sources {
		for j := src.first; j != nil; j = j.later {
			if j.tick+1 < s.ticks {
				j.tick = s.ticks - 1
				s.ack(AckProgress, j.Reply)
			}
		}
	}
}

// second checks once a second for silent sources and for queues that stand still.
func (s *Scheduler) second() {
	s.seconds++
	if s.outage.told {
		s.tell(OutageLasts, s.outage) // with the attempts of the last second
	}
	for _, src := range s.sources {
		src.watch()
	}
	if !s.closed {
		s.makeRoom()
	}
}

// Reconnected notes that the connection was lost and is established again: requests and
// messages under way are lost.
func (s *Scheduler) Reconnected(now time.Time) {
	s.now = now
	for _, src := range s.sources {
		src.asked = 0
		src.session.interrupted(src)
		src.pull()
	}
}

// Drain ends the intake and gives back the jobs that have not begun. The driver still
// reports the running jobs with Done.
func (s *Scheduler) Drain(now time.Time) {
	s.now = now
	for _, src := range slices.Clone(s.sources) {
		s.close(src)
	}
	s.closed = true
}

// InFlight returns how many events are taken and not settled.
func (s *Scheduler) InFlight() int {
	n := 0
	for _, src := range s.sources {
		n += src.count
	}
	return n
}

// Sources returns the consumers in use, including those that only wait for their
// handlers to end.
func (s *Scheduler) Sources() []*Source { return slices.Clone(s.sources) }
