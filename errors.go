package replhub

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that callers decide on, with errors.Is.
var (
	// ErrNoServer: no NATS server listens at Config.URL.
	ErrNoServer = errors.New("nobody answers there")
	// ErrNoHub: the server runs, but no hub has made the stream that takes events,
	// or none answers control requests.
	ErrNoHub = errors.New("no hub on this server; start one with replhub dev or replhub serve")
	// ErrClosed: the client was closed, or the connection that it borrowed.
	ErrClosed = errors.New("the client is closed")
	// ErrInvalidEvent: the event cannot be published as it is; the message names
	// the field.
	ErrInvalidEvent = errors.New("invalid event")
	// ErrUnknownSubject: the hub's stream of events does not take this
	// entity and op.
	ErrUnknownSubject = errors.New("the hub's stream does not take this subject")
	// ErrTooLarge: event and headers exceed the server's limit for a message.
	ErrTooLarge = errors.New("too large for the server")
	// ErrIngestFull: the hub's stream of events is full and refuses more. The
	// event is not stored.
	ErrIngestFull = errors.New("the hub's stream of events is full")
	// ErrDenied: the server does not let this user publish or ask that.
	ErrDenied = errors.New("denied by the server")
	// ErrUnavailable: NATS or JetStream could not take it in time; it was not done.
	ErrUnavailable = errors.New("not available in time")
	// ErrUnknownOutcome: an answer did not come, so it may or may not have been
	// done. Doing it again is safe: an event under the same id is stored once.
	ErrUnknownOutcome = errors.New("unknown outcome")
)

// PublishError tells which event was not acknowledged, and why. What it is for
// errors.Is is both its cause and, where Unknown, ErrUnknownOutcome.
type PublishError struct {
	Entity string
	Op     Op
	Key    string
	// ID is the event's id, made when it had none: publishing the event again
	// under it, within the dedupe window, stores it once.
	ID string
	// Unknown says that the event may have been stored all the same.
	Unknown bool
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *PublishError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "publish db.%s.%s", e.Entity, e.Op)
	if e.ID != "" {
		fmt.Fprintf(&b, " (id %q)", e.ID)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Unknown {
		fmt.Fprintf(&b, "; %v: it may have been stored, and publishing it again under the same id is safe", ErrUnknownOutcome)
	}
	return b.String()
}

// Unwrap gives the cause, and ErrUnknownOutcome where it is unknown.
func (e *PublishError) Unwrap() []error {
	if e.Unknown {
		return []error{e.Err, ErrUnknownOutcome}
	}
	return []error{e.Err}
}
