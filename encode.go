package replhub

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const headerContentType = "Content-Type"

// newID makes an event's id.
func newID() string { return rand.Text() }

// Validate returns an ErrInvalidEvent that names the field at fault, or nil. Publish
// and the outbox's Enqueue call it. An empty Key or ID is valid. Validate does not
// check the size, because the limit is the server's.
func (e Event) Validate() error {
	_, err := message(&e, nil) // valid is what a message can be made of
	return err
}

// encode makes the message of an event, and gives the event an id if it has none. Its
// errors are ErrInvalidEvent.
func (c *Client) encode(ctx context.Context, ev *Event) (*nats.Msg, error) {
	var trace map[string]string
	if c.cfg.Trace != nil {
		trace = c.cfg.Trace(ctx)
	}
	m, err := message(ev, trace)
	if err != nil {
		return nil, err
	}
	if !c.service.IsZero() {
		m.Header[contract.HeaderOrigin] = []string{c.service.String()}
	}
	return m, nil
}

// message makes an event's message without the origin.
func message(ev *Event, trace map[string]string) (*nats.Msg, error) {
	subject, err := subjectOf(ev)
	if err != nil {
		return nil, err
	}
	if ev.ID == "" {
		ev.ID = newID()
	}
	header := make(nats.Header, len(ev.Header)+5)
	if err := ownHeaders(header, ev.Header); err != nil {
		return nil, err
	}
	if err := addTrace(header, trace); err != nil {
		return nil, err
	}
	if err := hubHeaders(header, ev); err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: subject.String(), Header: header, Data: ev.Data}, nil
}

func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrInvalidEvent, field, fmt.Sprintf(format, args...))
}

func subjectOf(ev *Event) (subjects.Event, error) {
	entity, err := subjects.ParseName(ev.Entity)
	if err != nil {
		return subjects.Event{}, invalid("Entity", "%v", err)
	}
	op, err := subjects.ParseOp(string(ev.Op))
	if err != nil {
		return subjects.Event{}, invalid("Op", "%v", err)
	}
	return subjects.NewEvent(entity, op), nil
}

// hubHeaders sets the headers that the contract names.
func hubHeaders(header nats.Header, ev *Event) error {
	if !carries(ev.ID) {
		return invalid("ID", "%s cannot be a header's value", contract.Quote(ev.ID))
	}
	header[contract.HeaderMsgID] = []string{ev.ID}
	if ev.Key != "" {
		if len(ev.Key) > maxKey {
			return invalid("Key", "is %d bytes long; a key has at most %d", len(ev.Key), maxKey)
		}
		if !carries(ev.Key) {
			return invalid("Key", "%s cannot be a header's value", contract.Quote(ev.Key))
		}
		header[contract.HeaderKey] = []string{ev.Key}
	}
	if ev.Version < 0 {
		return invalid("Version", "%d: must count up from 1", ev.Version)
	}
	if ev.Version > 0 {
		header[contract.HeaderVersion] = []string{strconv.FormatInt(ev.Version, 10)}
	}
	if ev.ContentType != "" {
		if !carries(ev.ContentType) {
			return invalid("ContentType", "%s cannot be a header's value", contract.Quote(ev.ContentType))
		}
		if hasFold(header, headerContentType) {
			return invalid("ContentType", "stands in Header too")
		}
		header[headerContentType] = []string{ev.ContentType}
	}
	return nil
}

// ownHeaders adds the publisher's headers. It refuses a header that would not arrive
// unchanged.
func ownHeaders(header nats.Header, own map[string][]string) error {
	for name, values := range own {
		field := fmt.Sprintf("Header[%s]", contract.Quote(name))
		if err := checkName(field, name); err != nil {
			return err
		}
		for _, v := range values {
			if v != strings.TrimSpace(v) || strings.ContainsAny(v, "\r\n\x00") {
				return invalid(field, "value %s has line breaks or spaces around it", contract.Quote(v))
			}
		}
		if len(values) > 0 {
			header[name] = slices.Clone(values)
		}
	}
	return nil
}

// addTrace adds trace headers that the event does not have itself.
func addTrace(header nats.Header, trace map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(trace)) {
		if hasFold(header, name) {
			continue
		}
		if err := ownHeaders(header, map[string][]string{name: {trace[name]}}); err != nil {
			return err
		}
	}
	return nil
}

// hasFold reports whether a header is there, in any letter case: clients of other
// languages write "Traceparent".
func hasFold(header nats.Header, name string) bool {
	for own := range header {
		if strings.EqualFold(own, name) {
			return true
		}
	}
	return false
}

// checkName accepts tokens as in HTTP, without the names that are commands to servers
// and clients.
func checkName(field, name string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !inToken(r) }) {
		return invalid(field, "is no header name: letters, digits and !#$%%&'*+-.^_`|~")
	}
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "nats-") || strings.HasPrefix(lower, "replhub-") || lower == "status" || lower == "description" {
		return invalid(field, "is reserved; the event's own fields set what the hub needs")
	}
	return nil
}

func inToken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
