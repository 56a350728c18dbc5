package replhub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/queue"
)

// worker hands jobs to the handler until the driver ends it.
type worker struct {
	d     *driver
	s     *Subscriber
	batch queue.Batch
	// deliveries are those of the part that a handler of batches has.
	deliveries []*Delivery
}

func (d *driver) work() {
	w := &worker{d: d, s: d.s}
	for d.next(&w.batch) {
		w.attempt()
	}
}

// attempt makes one attempt at a batch.
func (w *worker) attempt() {
	w.batch.Begin()
	if first := jobOf(w.batch.Jobs[0]); w.s.batches == nil || first.Burying() {
		w.batch.Conclude(0, w.attemptOne(first))
		return
	}
	w.attemptBatch()
}

// attemptOne makes one attempt at a job: it stores the dead letter of a job that
// failed for good, and otherwise calls the handler. It acknowledges a done job before
// the scheduler learns of it: the scheduler gives a partition up when the last job is
// settled, and the next holder requests everything that is not acknowledged.
func (w *worker) attemptOne(j *job) queue.Verdict {
	if j.Burying() {
		return w.d.bury(j, nil)
	}
	err := w.s.call(j.in.ctx, j.begin(w.s.client.service.String()))
	if err == nil {
		w.d.acknowledge(&j.Job)
		return queue.Verdict{Kind: queue.Finished, Evidence: queue.WasHandled}
	}
	if j.in.ctx.Err() != nil {
		return queue.Verdict{Kind: queue.Abandoned}
	}
	return w.d.failed(j, err)
}

// begin fills in the delivery for an attempt that begins now.
func (j *job) begin(service string) *Delivery {
	j.last = time.Now()
	first := j.first.IsZero()
	if first {
		j.first = j.last
	}
	d := j.build(service)
	if first {
		d.Received = j.received
	}
	return d
}

// failed decides what becomes of a job that its handler answered with an error, and
// stores its dead letter where that is due.
func (d *driver) failed(j *job, err error) queue.Verdict {
	v := d.judge(j, answerOf(err, j.msg.Data))
	if v.WaitsLong {
		d.s.client.log.Info("an event waits for another row", "entity", j.delivery.Entity, "key", j.Row.Key, "id", j.delivery.ID, "err", err)
	}
	if v.Kind == queue.Bury {
		evidence := v.Evidence
		v = d.bury(j, err)
		v.Evidence = evidence
	}
	return v
}

// answerOf is the part of a handler's error that the scheduler needs.
func answerOf(err error, payload []byte) queue.Answer {
	a := queue.Answer{Means: meaningOf(err, payload), Err: err}
	a.Unique = a.Means == queue.Waits && database.IsUnique(err)
	if retry, ok := errors.AsType[*retryError](err); ok {
		a.RetryAfter = &retry.after
	}
	return a
}

// panicError is a handler's panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

// Unwrap returns the panic's value where it was an error.
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
