package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// ErrNoLetter means that the stream holds no such letter of the service.
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

// Next reads a service's first letter at or behind a sequence of the stream
// DLQ, or returns ErrNoLetter.
func (q *Queue) Next(ctx context.Context, service subjects.Name, from uint64) (*Letter, error) {
	m, err := message(ctx, q.dlq, max(from, 1), jetstream.WithGetMsgSubject(subjects.DeadLetterFilter(service)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w of %s", ErrNoLetter, service)
	}
	if err != nil {
		return nil, fmt.Errorf("read the dead letters of %s: %w", service, err)
	}
	_, l, err := letter(m)
	return l, err
}

// NextOf is Next for the letters of an entity, of any service.
func (q *Queue) NextOf(ctx context.Context, entity subjects.Name, from uint64) (subjects.Name, *Letter, error) {
	m, err := message(ctx, q.dlq, max(from, 1), jetstream.WithGetMsgSubject("dlq.*."+entity.String()+".*"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return subjects.Name{}, nil, fmt.Errorf("%w of the entity %s", ErrNoLetter, entity)
	}
	if err != nil {
		return subjects.Name{}, nil, fmt.Errorf("read the dead letters of the entity %s: %w", entity, err)
	}
	return letter(m)
}

func letter(m *jetstream.RawStreamMsg) (subjects.Name, *Letter, error) {
	service, entity, op, err := subjects.ParseDeadLetter(m.Subject)
	if err != nil {
		return subjects.Name{}, nil, fmt.Errorf("read dead letter %d: %w", m.Sequence, err)
	}
	return service, &Letter{Seq: m.Sequence, Time: m.Time.UTC(), Entity: entity, Op: op, Header: m.Header, Data: m.Data}, nil
}

// Letter reads one letter of a service, or returns ErrNoLetter.
func (q *Queue) Letter(ctx context.Context, service subjects.Name, seq uint64) (*Letter, error) {
	l, err := q.Next(ctx, service, seq)
	if err == nil && l.Seq != seq {
		return nil, fmt.Errorf("%w of %s: %d", ErrNoLetter, service, seq)
	}
	return l, err
}

// Remove removes a letter. It succeeds if the letter is already gone.
func (q *Queue) Remove(ctx context.Context, l *Letter) error {
	m, err := message(ctx, q.dlq, l.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) || (err == nil && !l.Time.IsZero() && !m.Time.Equal(l.Time)) {
		return nil
	}
	if err == nil {
		err = q.dlq.Do(ctx, func(ctx context.Context, s jetstream.Stream) error { return s.DeleteMsg(ctx, l.Seq) })
	}
	if err == nil {
		return nil
	}
	// Somebody else may have been faster, for which the server has no code.
	if _, gone := message(ctx, q.dlq, l.Seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("remove dead letter %d: %w", l.Seq, err)
}

// Erase is Remove for a letter whose content must go: the server overwrites it.
func (q *Queue) Erase(ctx context.Context, l *Letter) error {
	err := q.dlq.Do(ctx, func(ctx context.Context, s jetstream.Stream) error { return hubstream.Erase(ctx, s, l.Seq) })
	if err != nil {
		return fmt.Errorf("erase dead letter %d: %w", l.Seq, err)
	}
	return nil
}

// Purge removes all letters of a service whose lane has its last record.
func (q *Queue) Purge(ctx context.Context, service subjects.Name) error {
	err := q.dlq.Do(ctx, func(ctx context.Context, s jetstream.Stream) error {
		return s.Purge(ctx, jetstream.WithPurgeSubject(subjects.DeadLetterFilter(service)))
	})
	if err != nil {
		return fmt.Errorf("remove the dead letters of %s: %w", service, err)
	}
	return nil
}

// Add stores the letter of an event that could not be expanded. It has no payload,
// because the service may not be allowed to see it. added is false if the letter was
// already stored.
func (q *Queue) Add(ctx context.Context, service subjects.Name, e *event.Event, reason string, cause error) (added bool, err error) {
	h := nats.Header(e.CopyHeader().Clone())
	if reason == contract.ReasonTooLarge {
		h = ownOnly(h) // the publisher's headers may be what is too large
	}
	h.Set(contract.HeaderReason, reason)
	h.Set(contract.HeaderError, line(cause.Error()))
	h.Set(contract.HeaderAttempts, "0")
	m := &nats.Msg{Subject: subjects.DeadLetter(service, e.Subject.Entity(), e.Subject.Op()), Header: h}
	pos := e.Pos.String()
	if e.Row > 0 {
		pos = e.ID // rows of a snapshot share their position
	}
	_, added, err = q.appendWithin(ctx, service, m, letterID(service, pos, reason))
	return added, err
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
		set(contract.ReasonTooLarge, f.reason+": "+f.text+"; the letter has no room for the payload")
	}
	return m, id
}

// ErrFull means that the stream of dead letters is full, for all services.
var ErrFull = errors.New("dead letters are full")

// append stores a letter under an id and returns its sequence; added is false if the
// letter was already stored. If the letter of an id was removed since, the new letter
// is stored nevertheless.
func (q *Queue) append(ctx context.Context, m *nats.Msg, id string) (seq uint64, added bool, err error) {
	for {
		m.Header.Set(contract.HeaderMsgID, id)
		ack, err := q.publish(ctx, m)
		if hubstream.Full(err) {
			return 0, false, fmt.Errorf("%w (stream %s): redrive or remove some: %w", ErrFull, contract.StreamDLQ, err)
		}
		if err != nil {
			return 0, false, fmt.Errorf("store a dead letter: %w", hubstream.Diagnose(ctx, q.cfg.JS, contract.StreamDLQ, err))
		}
		if !ack.Duplicate {
			return ack.Sequence, true, nil
		}
		found, err := message(ctx, q.dlq, ack.Sequence)
		// Ids are the stream's, and every service may store letters of its own: one may
		// have taken the id of another's letter.
		if err == nil && found.Subject == m.Subject {
			return ack.Sequence, false, nil
		}
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, false, fmt.Errorf("look for dead letter %d: %w", ack.Sequence, err)
		}
		id += "/" + strconv.FormatUint(ack.Sequence, 10)
	}
}

func (q *Queue) publish(ctx context.Context, m *nats.Msg) (ack *jetstream.PubAck, err error) {
	err = q.dlq.Do(ctx, func(ctx context.Context, _ jetstream.Stream) error {
		ack, err = q.cfg.JS.PublishMsg(ctx, m)
		return err
	})
	return ack, err
}

// message reads one message of a stream.
func message(ctx context.Context, stream *hubstream.Kept, seq uint64, opts ...jetstream.GetMsgOpt) (m *jetstream.RawStreamMsg, err error) {
	err = stream.Do(ctx, func(ctx context.Context, s jetstream.Stream) error {
		m, err = s.GetMsg(ctx, seq, opts...)
		return err
	})
	return m, err
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
