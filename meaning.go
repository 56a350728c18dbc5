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

// meaningOf is what an error means that was answered to an event with a payload. Pure.
// What the handler itself says comes first.
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

// saysNoJSON reports whether an error is that of a JSON decoder which read the
// payload. It may have read something else, and the end of input may be that of a
// connection, so the payload must be broken JSON, too.
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

// saysNATSIsAway reports whether an error is that of a handler which publishes or
// asks over NATS itself.
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
