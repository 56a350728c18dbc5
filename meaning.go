package replhub

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/queue"
)

// meaningOf classifies a handler's error, given the event's payload. Pure. The
// handler's own classification comes first.
func meaningOf(err error, payload []byte) queue.Meaning {
	switch {
	case is[*unavailableError](err):
		return queue.Unavailable
	case is[*parkError](err):
		return queue.Parked
	case is[*retryError](err):
		return queue.Failure
	case saysNoJSON(err, payload):
		return queue.Invalid
	case saysNATSIsAway(err):
		return queue.Unavailable
	}
	switch database.Classify(err) {
	case database.Unavailable:
		return queue.Unavailable
	case database.Conflict:
		return queue.Conflict
	case database.Invalid:
		return queue.Invalid
	case database.Waits:
		return queue.Waits
	case database.Unknown:
	}
	return queue.Failure
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// saysNoJSON reports whether an error comes from a JSON decoder that read the
// payload. The decoder may have read something else, and an unexpected end of input
// may come from a connection; so the payload itself must be invalid JSON, too.
func saysNoJSON(err error, payload []byte) bool {
	syntax := is[*json.SyntaxError](err)
	if !syntax && !errors.Is(err, io.ErrUnexpectedEOF) || json.Valid(payload) {
		return false
	}
	text := bytes.TrimLeft(payload, " \t\r\n")
	switch {
	case len(text) == 0:
		return syntax
	case text[0] == '{', text[0] == '[':
		return true
	default: // of another format the payload itself is not judged
		return syntax && text[0] != '<' && utf8.Valid(text)
	}
}

// saysNATSIsAway reports whether a handler that itself publishes or sends requests
// over NATS found NATS away.
func saysNATSIsAway(err error) bool {
	for _, away := range []error{
		ErrUnavailable, ErrNoHub, ErrIngestFull, nats.ErrNoResponders, nats.ErrTimeout, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	return false
}
