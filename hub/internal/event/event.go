package event

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Event is one stored event. Its fields are set by Decode and read-only from
// then on, so that any number of goroutines may share it. It is passed by
// pointer, never copied.
type Event struct {
	Pos Position
	// Time is when ingest stored it.
	Time    time.Time
	Subject subjects.Event
	// ID is the publisher's Nats-Msg-Id, or a row's own id; empty for an event whose
	// publisher gave none.
	ID string
	// Key names the row that changed; empty when there is none.
	Key string
	// Origin is the publishing service's name; empty when none or no valid
	// name was given.
	Origin string
	// Version is the publisher's own version of the key, an integer as text;
	// empty when none or no integer was given.
	Version string
	// Row is the number of a snapshot's row, from 1; 0 is an event of ingest. A
	// row's position is that of the last event whose change it surely contains.
	Row uint64
	// Data is the payload, in any format.
	Data []byte
	// Header holds the publisher's headers that pass to copies; nil when there
	// is none.
	Header map[string][]string

	copyOnce   sync.Once
	copyHeader *Header

	headersOnce sync.Once
	headers     *Object

	size int

	decoded decodedValue
}

// Decode makes an Event of a message in ingest. header and data stay shared with the
// Event and must not be changed afterwards. The one error is a subject that is not an
// event's, a *subjects.SubjectError.
func Decode(pos Position, t time.Time, subject string, header map[string][]string, data []byte) (*Event, error) {
	s, err := subjects.ParseEvent(subject)
	if err != nil {
		return nil, fmt.Errorf("decode event %s: %w", pos, err)
	}
	return &Event{
		Pos: pos, Time: t, Subject: s, Data: data,
		ID:      id(header),
		Key:     key(header, data),
		Origin:  origin(header),
		Version: version(header),
		Header:  passed(header),
		size:    sizeOf(header, data),
	}, nil
}

// WithData returns the event with another payload, for filters that must not see all
// of the event's own.
func (e *Event) WithData(data []byte) *Event {
	return &Event{
		Pos: e.Pos, Time: e.Time, Subject: e.Subject, ID: e.ID, Key: e.Key, Origin: e.Origin, Version: e.Version, Row: e.Row,
		Data: data, Header: e.Header, size: e.size,
	}
}

func id(header map[string][]string) string {
	if v := first(header, contract.HeaderMsgID); carries(v) {
		return v
	}
	return ""
}

func origin(header map[string][]string) string {
	name, err := subjects.ParseName(first(header, contract.HeaderOrigin))
	if err != nil {
		return ""
	}
	return name.String()
}

func version(header map[string][]string) string {
	v := first(header, contract.HeaderVersion)
	if v == "" {
		return "" // parsing an empty value would allocate an error for each event
	}
	if _, err := strconv.ParseInt(v, 10, 64); err != nil {
		return ""
	}
	return v
}

// first is the first value under a header's exact name, or "".
func first(header map[string][]string, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
