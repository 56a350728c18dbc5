package replhub

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Handler handles deliveries. Its result decides what happens to the event:
//
//   - nil: the event is done and is acknowledged.
//   - RetryAfter(d, err): the event is tried again after d.
//   - Park(err): the event becomes a dead letter at once.
//   - Unavailable(err), or an error that package database recognises as an outage of
//     a database or a connection: the event is not at fault. The subscriber waits,
//     see [Subscriber.State], and no attempt is used up.
//   - an error that package database recognises as a conflict of transactions, such
//     as a deadlock: the event is tried again after a back-off. The first 100
//     conflicts in a row use up no attempt.
//   - an error that package database recognises as an invalid value, or an error of a
//     JSON decoder where the payload is not valid JSON: the event becomes a dead
//     letter at once, since another attempt cannot succeed.
//   - an error that package database recognises as a constraint that depends on other
//     rows, such as a foreign key: the event is tried again after back-offs of at
//     most 3 s, which use up no attempt, for SubscriberConfig.MaxWait, and then
//     becomes a dead letter.
//   - any other error: the event is tried again after a back-off, up to
//     SubscriberConfig.MaxAttempts, and then becomes a dead letter.
//
// A panic is caught and counts as an error. Handle is called concurrently for
// different keys, and one call at a time for one key. ctx ends when the subscriber
// stops and SubscriberConfig.DrainTimeout is over.
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

// RetryAfter asks for another attempt after d. The present attempt still counts. A
// nil err says that nothing failed and that it is only too early.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		err = errTooEarly
	}
	return &retryError{after: d, err: err}
}

// Unavailable says that something that the handler needs is unavailable, for example
// another service, and that the event is not at fault. Errors of databases and of
// connections need not be marked. The subscriber then takes no more events, and tries one
// event at a time until one gets another answer.
//
// No attempt is used up, unless only this event is affected: if an event gets this
// answer twice, and another event of its entity was handled in between, then each
// further such answer counts as an attempt, and the event waits by itself.
func Unavailable(err error) error {
	if err == nil {
		err = errUnavailable
	}
	return &unavailableError{err: err}
}

// Park makes the event a dead letter at once, with err as the reason.
func Park(err error) error {
	if err == nil {
		err = errParked
	}
	return &parkError{err: err}
}

var (
	errTooEarly = errors.New("the handler asked for another attempt")
	errParked   = errors.New("the handler gave the event up")

	errUnavailable = errors.New("the handler reported that something it needs is unavailable")
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
