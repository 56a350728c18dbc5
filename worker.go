package replhub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
)

// evidence is what an attempt says of the things that handlers need.
type evidence uint8

const (
	evidenceNone    evidence = iota // no handler was asked, or it was cut short
	evidenceError                   // they are there
	evidenceHandled                 // they are there, and the event is no obstacle
)

// work handles jobs until the desk is closed.
func (s *Subscriber) work(d *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for j := d.next(); j != nil; j = d.next() {
		d.mu.Unlock()
		v := s.attempt(j)
		d.mu.Lock()
		told := s.settleJob(d, j, v)
		if ask := j.src.credit(); ask.batch > 0 || told != nil {
			d.mu.Unlock()
			j.src.ask(ask)
			s.tell(d, told)
			d.mu.Lock()
		}
	}
}

// settleJob tells the desk what became of a job. It returns what is to be told of
// an outage; nil for nothing.
func (s *Subscriber) settleJob(d *desk, j *job, v verdict) (told *SubscriberState) {
	if v.kind == verdictStall && !j.src.mine() {
		v = verdict{kind: verdictAbandon}
	}
	switch {
	case v.kind == verdictStall:
		if d.stall(j, v.err, time.Now()) {
			told = d.outage.state()
		}
		return told
	case v.evidence == evidenceNone:
		d.unanswered(j)
	default:
		if over := d.answered(j, v.evidence == evidenceHandled); over.told {
			told = over.state()
			told.Unavailable = false
		}
	}
	switch {
	case v.kind == verdictDone:
		d.done(j)
	case v.kind == verdictAgain && j.src.mine():
		d.again(j, time.Now().Add(v.after))
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

// attempt makes one attempt at a job: at its letter, when it is dead, or else
// at the handler.
func (s *Subscriber) attempt(j *job) verdict {
	if j.letter != nil {
		return s.bury(j, nil)
	}
	d := j.build(s.client.service.String())
	j.last = time.Now()
	if j.first.IsZero() {
		j.first = j.last
	}
	err := s.call(j.src.ctx, d)
	if err == nil {
		s.respond(j.msg.Reply, ackDone)
		return verdict{kind: verdictDone, evidence: evidenceHandled}
	}
	if j.src.ctx.Err() != nil {
		return verdict{kind: verdictAbandon}
	}
	return s.failed(j, err)
}

// failed decides what becomes of a job that its handler answered with an error.
func (s *Subscriber) failed(j *job, err error) verdict {
	means := meaningOf(err, j.msg.Data)
	if means == meansUnavailable && !j.src.desk.ownFault(j) {
		return verdict{kind: verdictStall, err: err}
	}
	if means != meansConflict {
		j.conflicts = 0
	} else if j.conflicts++; j.conflicts <= maxConflicts {
		return verdict{kind: verdictAgain, evidence: evidenceError, after: s.cfg.backoff(j.conflicts)}
	}
	j.attempts++
	v := verdict{kind: verdictAgain, after: s.cfg.backoff(j.attempts)}
	switch {
	case j.dead:
		v.after = s.cfg.MaxBackoff // held
	case means == meansParked, means == meansInvalid, j.attempts >= s.cfg.MaxAttempts:
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
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return s.handler.Handle(ctx, d)
}

// respond sends an acknowledgement. One that gets lost has the event delivered
// again, as does one that is sent into a closed connection.
func (s *Subscriber) respond(reply, ack string) {
	_ = s.client.nc.Publish(reply, []byte(ack))
}
