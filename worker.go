package replhub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// Acknowledgements, as the server takes them.
const (
	ackDone    = "+ACK"
	ackAgain   = "-NAK"
	ackWorking = "+WPI"
)

// verdict is what becomes of a job after an attempt.
type verdict struct {
	kind     verdictKind
	evidence evidence
	after    time.Duration // until the next attempt
	err      error         // of what is away
}

type verdictKind uint8

const (
	verdictDone    verdictKind = iota // settled with the server
	verdictAgain                      // another attempt after a while
	verdictAbandon                    // cut short: somebody else's
	verdictStall                      // another attempt when what is away is back
	verdictRelease                    // no attempt was made
)

// evidence is what an attempt says of the things that handlers need.
type evidence uint8

const (
	evidenceNone    evidence = iota // no handler was asked, or it was cut short
	evidenceError                   // they are there
	evidenceHandled                 // they are there, and the event is no obstacle
)

// bundle is what a worker has under way: one job, unless the handler takes more.
type bundle struct {
	jobs     []*job
	verdicts []verdict // by jobs
	sources  []*source // of the jobs

	// Of a handler of batches.
	deliveries []*Delivery
	away       bool         // something that the handler needs
	failed     map[row]bool // rows of which the rest must wait
}

// work handles jobs until the desk is closed.
func (s *Subscriber) work(d *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b bundle
	for d.next(&b) {
		d.mu.Unlock()
		s.attempt(&b)
		d.mu.Lock()
		told := s.settle(d, &b)
		for _, src := range b.sources {
			if ask := src.credit(); ask.batch > 0 {
				d.mu.Unlock()
				src.ask(ask)
				d.mu.Lock()
			}
		}
		if told != nil {
			d.mu.Unlock()
			s.tell(d, told)
			d.mu.Lock()
		}
	}
}

// settle tells the desk what became of a batch's jobs, in their order, and notes
// their sources. It returns what is to be told of an outage; nil for nothing.
func (s *Subscriber) settle(d *desk, b *bundle) (told *SubscriberState) {
	b.sources = b.sources[:0]
	attempts := 1
	for i, j := range b.jobs {
		v := b.verdicts[i]
		if news := s.settleJob(d, j, v, attempts); news != nil {
			told = news
		}
		if v.kind == verdictStall {
			attempts = 0 // it was one for all
		}
		if !slices.Contains(b.sources, j.src) {
			b.sources = append(b.sources, j.src)
		}
	}
	return told
}

// settleJob tells the desk what became of a job. attempts is how many an outage
// counts for it.
func (s *Subscriber) settleJob(d *desk, j *job, v verdict, attempts int) (told *SubscriberState) {
	mine := j.src.mine()
	switch {
	case v.kind == verdictStall && mine:
		if d.stall(j, v.err, attempts, time.Now()) {
			told = d.outage.state()
			s.state.Store(told)
		}
		return told
	case v.evidence == evidenceNone:
		d.unanswered(j)
	default:
		if over := d.answered(j, v.evidence == evidenceHandled); over.told {
			told = over.state()
			told.Unavailable = false
			s.state.Store(nil)
		}
	}
	switch {
	case v.kind == verdictDone:
		d.done(j)
	case v.kind == verdictAgain && mine:
		d.again(j, time.Now().Add(v.after))
	case v.kind == verdictRelease && mine:
		d.release(j)
	default:
		s.giveBack(d, j)
	}
	return told
}

// giveBack has the server deliver a job again, to whoever is due.
func (s *Subscriber) giveBack(d *desk, j *job) {
	s.respond(j.msg.Reply, ackAgain)
	d.stopped(j)
	d.remove(j)
}

// mine reports whether jobs of the source may be begun here.
func (s *source) mine() bool {
	return !s.closed && !s.desk.closed && (!s.ordered || s.session.confirmed)
}

// attempt makes one attempt at a batch.
func (s *Subscriber) attempt(b *bundle) {
	b.verdicts = append(b.verdicts[:0], make([]verdict, len(b.jobs))...)
	if s.batches == nil || b.jobs[0].letter != nil {
		b.verdicts[0] = s.attemptOne(b.jobs[0])
		return
	}
	s.attemptMany(b)
}

// attemptOne makes one attempt at a job: at its letter, when it is dead, or else
// at the handler.
func (s *Subscriber) attemptOne(j *job) verdict {
	if j.letter != nil {
		return s.bury(j, nil)
	}
	err := s.call(j.src.ctx, j.begin(s.client.service.String()))
	if err == nil {
		s.respond(j.msg.Reply, ackDone)
		return verdict{kind: verdictDone, evidence: evidenceHandled}
	}
	if j.src.ctx.Err() != nil {
		return verdict{kind: verdictAbandon}
	}
	return s.failed(j, err)
}

// begin fills in the delivery for an attempt that begins now.
func (j *job) begin(service string) *Delivery {
	j.last = time.Now()
	if j.first.IsZero() {
		j.first = j.last
	}
	return j.build(service)
}

// failed decides what becomes of a job that its handler answered with an error.
func (s *Subscriber) failed(j *job, err error) verdict {
	means := meaningOf(err, j.msg.Data)
	if means == meansUnavailable && !s.ownFault(j) {
		return verdict{kind: verdictStall, err: err}
	}
	if means != meansConflict {
		j.conflicts = 0
	} else if j.conflicts++; j.conflicts <= maxConflicts {
		return verdict{kind: verdictAgain, evidence: evidenceError, after: s.cfg.backoff(j.conflicts)}
	}
	wait := waitNot
	if means == meansWaits && !j.dead {
		wait = s.mayWait(j, err)
	}
	if wait == waitOn {
		if j.waits++; j.waits == quietWaits {
			s.client.log.Info("an event waits for another row", "entity", j.delivery.Entity, "key", j.row.key, "id", j.delivery.ID, "err", err)
		}
		return verdict{kind: verdictAgain, evidence: evidenceError, after: s.cfg.probePause(j.waits)}
	}
	j.attempts++
	v := verdict{kind: verdictAgain, after: s.cfg.backoff(j.attempts)}
	switch {
	case j.dead:
		v.after = s.cfg.MaxBackoff // held
	case wait == waitOver, means == meansParked, means == meansInvalid, j.attempts >= s.cfg.MaxAttempts:
		v = s.bury(j, err)
	default:
		if retry, ok := errors.AsType[*retryError](err); ok {
			v.after = max(retry.after, 0)
		}
	}
	if means != meansUnavailable {
		v.evidence = evidenceError
	}
	return v
}

func (s *Subscriber) ownFault(j *job) bool {
	j.src.desk.mu.Lock()
	defer j.src.desk.mu.Unlock()
	return j.ownFault()
}

// panicError is a handler's panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

// Unwrap gives the panic's value where it was an error.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// call calls the handler and catches its panics.
func (s *Subscriber) call(ctx context.Context, d *Delivery) (err error) {
	defer func() { err = caught(recover(), err) }()
	return s.handler.Handle(ctx, d)
}

// caught is a handler's error, or its panic.
func caught(value any, err error) error {
	if value == nil {
		return err
	}
	return &panicError{value: value, stack: debug.Stack()}
}

// respond sends an acknowledgement. One that gets lost has the event delivered
// again, as does one that is sent into a closed connection.
func (s *Subscriber) respond(reply, ack string) {
	_ = s.client.nc.Publish(reply, []byte(ack))
}
