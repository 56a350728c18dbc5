package replhub

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/queue"
)

// driver runs a scheduler over the present work queues. Only the driver takes the
// lock: each method of this file gives the scheduler one input under the lock, and
// then performs the scheduler's outputs without the lock. A message takes the lock
// twice, on arrival and when it is done.
type driver struct {
	s    *Subscriber
	plan plan
	// handlers is the context of the handlers; it ends when their time is over.
	handlers context.Context //nolint:containedctx // it lives as long as the driver
	// serving ends when no more messages are to be taken.
	serving context.Context //nolint:containedctx // it lives as long as the driver
	stop    context.CancelCauseFunc

	freed       chan struct{} // has a token when a partition was given up for good
	rescheduled chan struct{} // has a token when something is due earlier than it was
	ended       chan struct{} // closed when the drain is over
	noticed     chan struct{} // has a token when the lane is said to be detached
	workers     sync.WaitGroup
	tasks       sync.WaitGroup // requests under way, and partitions that end

	mu   sync.Mutex // guards what follows
	wake sync.Cond
	core *queue.Scheduler
	now  func() time.Time
	// idle workers wait; at most one worker is being woken, and wakes the next.
	idle        int
	waking      bool
	closed      bool
	standstills int // that were noticed
}

func newDriver(s *Subscriber, p plan, serving, handlers context.Context, stop context.CancelCauseFunc) *driver {
	d := &driver{
		s: s, plan: p, handlers: handlers, serving: serving, stop: stop, now: time.Now,
		freed: make(chan struct{}, 1), rescheduled: make(chan struct{}, 1), ended: make(chan struct{}), noticed: make(chan struct{}, 1),
		core: queue.New(time.Now(), s.cfg.scheduling(p, s.batches != nil)),
	}
	d.wake.L = &d.mu
	return d
}

// scheduling is the part of a subscription's config that the scheduler needs.
func (s SubscriberConfig) scheduling(p plan, batches bool) queue.Config {
	return queue.Config{
		Ordered: p.ordered, AckWait: p.ackWait, Batches: batches,
		Workers: s.Workers, MaxInFlight: s.MaxInFlight, MaxBatch: s.MaxBatch, MaxAttempts: s.MaxAttempts,
		MaxBackoff: s.MaxBackoff, MaxWait: s.MaxWait, HoldKey: s.HoldKey, Backoff: s.backoff, ProbePause: s.probePause,
	}
}

// step gives the scheduler an input and performs the outputs.
func (d *driver) step(input func(now time.Time)) {
	d.mu.Lock()
	now := d.now()
	input(now)
	d.rouse(now)
	r := d.collect()
	d.mu.Unlock()
	d.perform(r)
}

// rouse wakes a worker if there is a job for it. The lock is held.
func (d *driver) rouse(now time.Time) {
	if d.idle > 0 && !d.waking && d.core.MayBegin(now) {
		d.waking = true
		d.wake.Signal()
	}
}

// collect takes the scheduler's outputs, and publishes at once the state that others
// may read before the outputs are performed. The lock is held.
func (d *driver) collect() *queue.Ready {
	r := d.core.Ready()
	if r == nil {
		return nil
	}
	for _, sub := range r.Subscribe {
		if sub.Source.Owner == nil {
			sub.Source.Owner = newIntake(d, sub.Source)
		}
	}
	for _, o := range r.Outages {
		d.s.show(o)
	}
	if r.StoodStill > 0 {
		d.standstills++
	}
	d.tasks.Add(len(r.Infos) + len(ending(r)))
	if len(r.Redrive) > 0 {
		d.tasks.Add(1)
	}
	return r
}

// ending returns the closed sources whose handlers still run.
func ending(r *queue.Ready) []*queue.Source {
	return slices.DeleteFunc(slices.Clone(r.Unsubscribe), func(src *queue.Source) bool { return slices.Contains(r.Freed, src) })
}

// next notes the outcome of a worker's batch and waits for the next batch; false when
// the worker is to end.
func (d *driver) next(b *queue.Batch) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(b.Jobs) > 0 {
		now := d.now()
		d.core.Done(now, b)
		if r := d.collect(); r != nil {
			d.rouse(now)
			d.mu.Unlock()
			d.perform(r)
			d.mu.Lock()
		}
	}
	for !d.closed {
		if now := d.now(); d.core.Take(now, b) {
			d.rouse(now)
			return true
		}
		d.idle++
		d.wake.Wait()
		d.idle--
		d.waking = false
	}
	return false
}

// acknowledge acknowledges jobs that are settled. The scheduler of an ordered lane hears
// of it first: what it counts as unacknowledged must be so at the server.
func (d *driver) acknowledge(jobs ...*queue.Job) {
	if d.plan.ordered {
		d.mu.Lock()
		d.core.Acknowledging(d.now(), jobs...)
		d.mu.Unlock()
	}
	for _, j := range jobs {
		d.s.respond(j.Reply, ackDone)
	}
}

// judge decides what becomes of a job that its handler answered with an error.
func (d *driver) judge(j *job, a queue.Answer) queue.Verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Judge(d.now(), &j.Job, a)
}

// buried decides what becomes of a job whose dead letter was to be stored.
func (d *driver) buried(j *job, l queue.Letter) queue.Verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Buried(d.now(), &j.Job, l)
}

// refresh brings a pull up to date, and reports whether it is still to be sent.
func (d *driver) refresh(p *queue.Pull) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Refresh(p)
}

// held returns the partitions that this instance works on.
func (d *driver) held() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Held()
}

// time is the scheduler's.
func (d *driver) time() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now()
}

// spilled is how many spilled dead letters this instance has not redriven.
func (d *driver) spilled() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Spilled()
}

// drain ends the intake and tells the workers to end.
func (d *driver) drain() {
	d.mu.Lock()
	d.core.Drain(d.now())
	d.closed = true
	r := d.collect()
	d.wake.Broadcast()
	d.mu.Unlock()
	d.perform(r)
}
