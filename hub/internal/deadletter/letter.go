package deadletter

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// ErrNoLetter means that the stream holds no such dead letter of the service.
var ErrNoLetter = errors.New("no such dead letter")

// Letter is a stored dead letter.
type Letter struct {
	// Seq is its sequence in the stream DLQ, Time when it was stored there. The
	// two together are its identity: a stream that is created again counts from 1.
	Seq    uint64
	Time   time.Time
	Entity subjects.Name
	Op     subjects.Op
	Header nats.Header
	Data   []byte
}

// Whole reports whether the letter carries the copy itself. The letter of an event
// that could not be expanded does not, because the service may not be allowed to see
// the payload.
func (l *Letter) Whole() bool {
	switch l.Header.Get(contract.HeaderReason) {
	case contract.ReasonNotJSON, contract.ReasonNotObject, contract.ReasonFilter, contract.ReasonTooLarge:
		return false
	}
	return true
}

// Redriven is how often the event was put back into its lane.
func (l *Letter) Redriven() int {
	n, err := strconv.Atoi(l.Header.Get(contract.HeaderRedriven))
	if err != nil {
		return 0
	}
	return n
}

// CopyHeader returns the headers of the letter's copy, in a new map.
func (l *Letter) CopyHeader() nats.Header {
	h := copyHeader(l.Header)
	for _, name := range []string{
		contract.HeaderReason, contract.HeaderError, contract.HeaderAttempts, contract.HeaderRedriven,
		contract.HeaderStack, contract.HeaderFirstAttempt, contract.HeaderLastAttempt,
	} {
		delete(h, name)
	}
	return h
}

// BareHeader is CopyHeader without the publisher's headers.
func (l *Letter) BareHeader() nats.Header { return ownOnly(l.CopyHeader()) }

// letterOfEvent makes the letter of an event that could not be expanded.
func letterOfEvent(service subjects.Name, e *event.Event, reason string, cause error) (m *nats.Msg, id string) {
	h := nats.Header(e.CopyHeader().Clone())
	if reason == contract.ReasonTooLarge {
		h = ownOnly(h) // the publisher's headers may be what is too large
	}
	h.Set(contract.HeaderReason, reason)
	h.Set(contract.HeaderError, line(cause.Error()))
	h.Set(contract.HeaderAttempts, "0")
	m = &nats.Msg{Subject: subjects.DeadLetter(service, e.Subject.Entity(), e.Subject.Op()), Header: h}
	pos := e.Pos.String()
	if e.Row > 0 {
		pos = e.ID // rows of a snapshot share their position
	}
	return m, letterID(service, pos, reason)
}

// failed is a delivery that was exhausted or terminated.
type failed struct {
	stream, consumer string
	// seq is the copy's sequence in its lane.
	seq      uint64
	attempts uint64
	reason   string
	text     string
	// at is when the server gave it up: another consumer or stream of the same
	// name made since then knows nothing of it.
	at time.Time
}

// letterOf makes the letter of a failed delivery of a copy. Where the letter is
// larger than the server takes, it goes without the publisher's headers, and
// then as one that takes its payload from ingest.
func letterOf(c subjects.Copy, copied *jetstream.RawStreamMsg, f failed, maxPayload int64) (m *nats.Msg, id string) {
	h := copyHeader(copied.Header)
	pos := h.Get(contract.HeaderPosition)
	if h.Get(contract.HeaderRow) != "" {
		pos = h.Get(contract.HeaderID) // rows of a snapshot share their position
	}
	if pos == "" {
		pos = "lane-" + strconv.FormatUint(copied.Sequence, 10) // not made by the hub
	}
	id = letterID(c.Service(), pos, f.reason)
	if n := h.Get(contract.HeaderRedriven); n != "" {
		id += "/" + n
	}
	m = &nats.Msg{Subject: subjects.DeadLetter(c.Service(), c.Entity(), c.Op()), Header: h, Data: copied.Data}
	set := func(reason, text string) {
		m.Header.Set(contract.HeaderReason, reason)
		m.Header.Set(contract.HeaderError, line(text))
		m.Header.Set(contract.HeaderAttempts, strconv.FormatUint(f.attempts, 10))
	}
	set(f.reason, f.text)
	if tooLarge(m, id, maxPayload) {
		m.Header = ownOnly(m.Header)
	}
	if tooLarge(m, id, maxPayload) {
		m.Data = nil
		set(contract.ReasonTooLarge, f.reason+": "+f.text+"; the dead letter has no room for the payload")
	}
	return m, id
}

// letterID makes a letter unique by service, event and cause.
func letterID(service subjects.Name, pos, reason string) string {
	return service.String() + "/" + pos + "/" + reason
}

// copyHeader takes the headers of a stored message that are not commands to the
// server.
func copyHeader(h nats.Header) nats.Header {
	own := make(nats.Header, len(h)+4)
	for name, values := range h {
		if len(name) >= 5 && strings.EqualFold(name[:5], "Nats-") {
			continue
		}
		own[name] = values
	}
	return own
}

func ownOnly(h nats.Header) nats.Header {
	own := make(nats.Header, len(h))
	for name, values := range h {
		if strings.HasPrefix(name, "Replhub-") {
			own[name] = values
		}
	}
	return own
}

// maxLine bounds an error's text: a worker's reason may be a stack trace.
const maxLine = 1024

// line makes a text fit for a header.
func line(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + " …"
	}
	return s
}

const (
	// maxHeaderBytes is the server's limit for the headers of a stored message.
	maxHeaderBytes = 1<<16 - 1
	// idRoom is kept for the line of the letter's id, which grows when letters
	// of that id were removed.
	idRoom = 256
)

func tooLarge(m *nats.Msg, id string, maxPayload int64) bool {
	n := len("NATS/1.0\r\n\r\n") + len(id) + idRoom
	for name, values := range m.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n > maxHeaderBytes || int64(n+len(m.Data)) > maxPayload
}
