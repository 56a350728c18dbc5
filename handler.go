package replhub

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Handler handles deliveries. Its answer is what is to become of the event:
//
//   - nil: it is done, and acknowledged.
//   - RetryAfter(d, err): it is tried again after d.
//   - Park(err): it is given up and becomes a dead letter at once.
//   - Unavailable(err), or an error that package database knows as that of a
//     database or a connection which is away: that is no fault of the event. The
//     subscriber waits, see [Subscriber.State], and no attempt is used up.
//   - an error that package database knows as a conflict of transactions, such as
//     a deadlock: it is tried again after a back-off; the first 100 in a row use
//     up no attempt.
//   - an error that package database knows as one of the event's values, and one
//     that says that the payload is no JSON where it is not: it becomes a dead
//     letter at once, since no other attempt can change it.
//   - an error that package database knows as a refusal for what other rows are like,
//     such as a foreign key's: it is tried again after back-offs of at most 3 s, which
//     use up no attempt, for SubscriberConfig.MaxWait, and then becomes a dead letter.
//   - any other error: it is tried again after a back-off, up to
//     SubscriberConfig.MaxAttempts, and then becomes a dead letter.
//
// A panic is caught and counts as an error. Handle is called concurrently for
// different keys, and one at a time for one key. ctx ends when the subscriber
// has to stop and the time for that is over.
type Handler interface {
	Handle(ctx context.Context, d *Delivery) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, d *Delivery) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, d *Delivery) error { return f(ctx, d) }

// Middleware wraps a handler in another, for logs, metrics, traces or
// transactions.
type Middleware func(Handler) Handler

// Chain puts middleware around a handler; the first is outermost.
func Chain(h Handler, middleware ...Middleware) Handler {
	for _, wrap := range slices.Backward(middleware) {
		h = wrap(h)
	}
	return h
}

// RetryAfter asks for another attempt after d. It counts as an attempt all the
// same. A nil err says that there is no fault, only that it is too early.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		err = errTooEarly
	}
	return &retryError{after: d, err: err}
}

// Unavailable says that something which the handler needs is away, another service
// for one, and that the event has no part in it. Errors of databases and of
// connections need not be marked. The subscriber then begins nothing more, takes
// nothing more, and tries one event at a time until one gets another answer.
//
// No attempt is used up, unless the event alone is concerned: one that answers so
// twice, while another of its entity was handled in between, has each such answer
// count as an attempt from then on, and waits by itself.
func Unavailable(err error) error {
	if err == nil {
		err = errUnavailable
	}
	return &unavailableError{err: err}
}

// Park gives an event up: it becomes a dead letter with err as its reason.
func Park(err error) error {
	if err == nil {
		err = errParked
	}
	return &parkError{err: err}
}

var (
	errTooEarly = errors.New("the handler asked for another attempt")
	errParked   = errors.New("the handler gave it up")

	errUnavailable = errors.New("the handler says that something which it needs is away")
)

type retryError struct {
	after time.Duration
	err   error
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

type parkError struct{ err error }

func (e *parkError) Error() string { return e.err.Error() }
func (e *parkError) Unwrap() error { return e.err }

type unavailableError struct{ err error }

func (e *unavailableError) Error() string { return e.err.Error() }
func (e *unavailableError) Unwrap() error { return e.err }
