package replhub

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that callers may test with errors.Is.
var (
	// ErrNoServer means that no NATS server listens at Config.URL.
	ErrNoServer = errors.New("no server answers there")
	// ErrNoHub means that the server runs, but no hub has created the stream of
	// events, or no hub answers control requests.
	ErrNoHub = errors.New("no hub on this server; start one with replhub dev or replhub serve")
	// ErrClosed means that the client, or the connection in Config.Conn, was closed.
	ErrClosed = errors.New("the client is closed")
	// ErrInvalidEvent means that the event cannot be published as it is; the message
	// names the field.
	ErrInvalidEvent = errors.New("invalid event")
	// ErrUnknownSubject means that the hub's stream of events does not accept this
	// entity and op.
	ErrUnknownSubject = errors.New("the hub's stream does not take this subject")
	// ErrTooLarge means that event and headers exceed the server's limit for a
	// message.
	ErrTooLarge = errors.New("too large for the server")
	// ErrIngestFull means that the hub's stream of events is full. The event is not
	// stored.
	ErrIngestFull = errors.New("the hub's stream of events is full")
	// ErrDenied means that this user may not publish on the subject or send the
	// request.
	ErrDenied = errors.New("denied by the server")
	// ErrUnavailable means that NATS or JetStream did not accept the call in time; it
	// had no effect.
	ErrUnavailable = errors.New("not available in time")
	// ErrUnknownOutcome means that no answer came, so the call may or may not have
	// had its effect. Repeating it is safe: an event under the same id is stored
	// once.
	ErrUnknownOutcome = errors.New("unknown outcome")
)

// PublishError tells which event was not acknowledged, and why. errors.Is matches its
// cause and, where Unknown is set, ErrUnknownOutcome.
type PublishError struct {
	Entity string
	Op     Op
	Key    string
	// ID is the event's id, generated when the event had none. Publishing the event
	// again under this id within the dedupe window stores it once.
	ID string
	// Unknown says that the event may have been stored despite the error.
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

// Unwrap returns the cause, and ErrUnknownOutcome where Unknown is set.
func (e *PublishError) Unwrap() []error {
	if e.Unknown {
		return []error{e.Err, ErrUnknownOutcome}
	}
	return []error{e.Err}
}
