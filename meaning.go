package replhub

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/database"
)

// meaning is what a handler's error says of its event. Deciding is pure.
type meaning uint8

const (
	meansFailure     meaning = iota // the event may be at fault
	meansUnavailable                // something else is away
	meansConflict                   // another transaction was in the way
	meansInvalid                    // no other attempt can change it
	meansWaits                      // another row must come, change or go first
	meansParked                     // the handler gave it up
)

// meaningOf is what an error means that was answered to an event with a payload.
// What the handler itself says comes first.
func meaningOf(err error, payload []byte) meaning {
	switch {
	case is[*unavailableError](err):
		return meansUnavailable
	case is[*parkError](err):
		return meansParked
	case is[*retryError](err):
		return meansFailure
	case saysNoJSON(err, payload):
		return meansInvalid
	case saysNATSIsAway(err):
		return meansUnavailable
	}
	switch database.Classify(err) {
	case database.Unavailable:
		return meansUnavailable
	case database.Conflict:
		return meansConflict
	case database.Invalid:
		return meansInvalid
	case database.Waits:
		return meansWaits
	case database.Unknown:
	}
	return meansFailure
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

const (
	// maxConflicts is after how many conflicts in a row an event is at fault: with
	// the back-off's defaults it takes about three quarters of an hour.
	maxConflicts = 100
	// maxProbePause bounds the time between two probes, so that a subscriber goes on
	// soon after what was away is back.
	maxProbePause = 3 * time.Second
)

// probePause is the time until the next probe, after a number of failed ones.
func (s Subscription) probePause(probes int) time.Duration {
	return min(s.backoff(probes), maxProbePause)
}
