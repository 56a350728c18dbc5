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
	kind  verdictKind
	after time.Duration // until the next attempt
}

type verdictKind uint8

const (
	verdictDone    verdictKind = iota // settled with the server
	verdictAgain                      // another attempt after a while
	verdictAbandon                    // cut short: somebody else's
)

// work handles jobs until the desk is closed.
func (s *Subscriber) work(d *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for j := d.next(); j != nil; j = d.next() {
		d.mu.Unlock()
		v := s.attempt(j)
		d.mu.Lock()
		if ask := s.settleJob(d, j, v); ask.batch > 0 {
			d.mu.Unlock()
			j.src.ask(ask)
			d.mu.Lock()
		}
	}
}

// settleJob tells the desk what became of a job, and returns what its
// source is to ask for.
func (s *Subscriber) settleJob(d *desk, j *job, v verdict) pull {
	switch v.kind {
	case verdictDone:
		d.done(j)
	case verdictAgain:
		if j.src.mine() {
			d.again(j, time.Now().Add(v.after))
			break
		}
		s.giveBack(d, j)
	case verdictAbandon:
		s.giveBack(d, j)
	}
	return j.src.credit()
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
	if j.attempts == 0 {
		j.first = j.last
	}
	err := s.call(j.src.ctx, d)
	if err == nil {
		s.respond(j.msg.Reply, ackDone)
		return verdict{kind: verdictDone}
	}
	if j.src.ctx.Err() != nil {
		return verdict{kind: verdictAbandon}
	}
	j.attempts++
	if j.dead {
		return verdict{kind: verdictAgain, after: s.cfg.MaxBackoff} // held
	}
	if _, ok := errors.AsType[*parkError](err); ok {
		return s.bury(j, err)
	}
	if j.attempts >= s.cfg.MaxAttempts {
		return s.bury(j, err)
	}
	after := s.cfg.backoff(j.attempts)
	if retry, ok := errors.AsType[*retryError](err); ok {
		after = max(retry.after, 0)
	}
	return verdict{kind: verdictAgain, after: after}
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
