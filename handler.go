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
//   - any other error: it is tried again after a back-off, up to
//     Subscription.MaxAttempts, and then becomes a dead letter.
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
