package replhub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

const (
	// letterTime bounds one attempt to store a letter.
	letterTime = 5 * time.Second
	// maxErrorBytes and maxStackBytes bound the texts in a letter's headers, because
	// the server accepts at most 64 KiB of headers.
	maxErrorBytes = 1024
	maxStackBytes = 4096
	// maxHeaderBytes is that limit, less room for the letter's id.
	maxHeaderBytes = 1<<16 - 1 - 256
)

// DeadLetterError is the cause of a dead letter, as OnDead gets it.
type DeadLetterError struct {
	// Reason is the letter's reason in one word, such as "failed" or "parked".
	Reason string
	// Text is the error of the last attempt, in one line.
	Text string
}

// Error is the text.
func (e *DeadLetterError) Error() string { return e.Text }

// bury stores a job's dead letter before it settles the job: after a crash in
// between, the server delivers the event again, and nothing is lost. Where the letter
// cannot be stored, storing is tried again, and the key waits.
func (d *driver) bury(j *job, cause error) queue.Verdict {
	s := d.s
	if j.letter == nil {
		j.letter = s.letterOf(j, cause)
	}
	// The end of the handlers' time must not interrupt the storing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(j.in.ctx), letterTime)
	defer cancel()
	letter := s.store(ctx, j)
	if letter.Stored || letter.Needless {
		j.letter = nil
	}
	v := d.buried(j, letter)
	if v.Kind == queue.Finished {
		d.acknowledge(&j.Job)
	}
	return v
}

// store stores a job's dead letter if the hub admits it.
func (s *Subscriber) store(ctx context.Context, j *job) queue.Letter {
	if letter, refused := s.admit(ctx, j); refused {
		return letter
	}
	stored, err := s.client.js.PublishMsg(ctx, j.letter, jetstream.WithRetryAttempts(0))
	if err != nil {
		s.client.log.Warn("store a dead letter; its key waits; trying again", "subject", j.letter.Subject, "err", err)
		return queue.Letter{}
	}
	cause := j.letter.Header.Get(contract.HeaderError)
	s.client.log.Warn("dead letter", "entity", j.delivery.Entity, "key", j.Row.Key, "id", j.delivery.ID,
		"reason", j.letter.Header.Get(contract.HeaderReason), "attempts", j.Attempts(), "err", cause)
	if s.cfg.OnDead != nil {
		s.cfg.OnDead(&j.delivery, &DeadLetterError{Reason: j.letter.Header.Get(contract.HeaderReason), Text: cause})
	}
	// Where the header is missing or not the hub's, the letter was never redriven.
	redriven, _ := strconv.Atoi(header(j.msg.Header, contract.HeaderRedriven))
	return queue.Letter{Stored: true, Seq: stored.Sequence, Redriven: redriven}
}

// letterOf makes the letter in the form of the hub's own letters, so that the hub can
// list and redrive it.
func (s *Subscriber) letterOf(j *job, cause error) *nats.Msg {
	reason := contract.ReasonFailed
	switch meaningOf(cause, j.msg.Data) {
	case queue.Parked:
		reason = contract.ReasonParked
	case queue.Invalid:
		reason = contract.ReasonInvalid
	case queue.Waits:
		if s.cfg.MaxWait >= 0 {
			reason = contract.ReasonWaits
		}
	case queue.Failure, queue.Unavailable, queue.Conflict:
	}
	service := s.client.service.String()
	m := &nats.Msg{
		Subject: "dlq." + service + "." + j.delivery.Entity + "." + string(j.delivery.Op),
		Header:  make(nats.Header, len(j.msg.Header)+8),
		Data:    j.msg.Data,
	}
	for name, values := range j.msg.Header {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") {
			m.Header[name] = values
		}
	}
	m.Header.Set(contract.HeaderReason, reason)
	m.Header.Set(contract.HeaderError, oneLine(cause.Error(), " ", maxErrorBytes))
	m.Header.Set(contract.HeaderAttempts, strconv.Itoa(j.Tries()))
	m.Header.Set(contract.HeaderFirstAttempt, j.first.UTC().Format(time.RFC3339Nano))
	m.Header.Set(contract.HeaderLastAttempt, j.last.UTC().Format(time.RFC3339Nano))
	if p, ok := errors.AsType[*panicError](cause); ok {
		m.Header.Set(contract.HeaderStack, oneLine(string(p.stack), " | ", maxStackBytes))
	}
	m.Header.Set(contract.HeaderMsgID, letterID(service, j, reason))
	fitLetter(m, reason, s.client.nc.MaxPayload())
	return m
}

// letterID makes a letter unique by service, event, cause and consumer. A rewind
// creates a new consumer, so an event that fails again after a rewind gets another
// letter: the first one may have been removed meanwhile.
func letterID(service string, j *job, reason string) string {
	event := header(j.msg.Header, contract.HeaderPosition)
	if header(j.msg.Header, contract.HeaderRow) != "" {
		event = header(j.msg.Header, contract.HeaderID) // rows of a snapshot share a position
	}
	id := service + "/" + event + "/" + reason
	if n := header(j.msg.Header, contract.HeaderRedriven); n != "" {
		id += "/" + n
	}
	return id + "/" + j.in.incarnation
}

// fitLetter shrinks a letter to the server's limits. It removes first the publisher's
// headers, then the payload, which a redrive reads from ingest.
func fitLetter(m *nats.Msg, reason string, maxPayload int64) {
	large := func() bool {
		n := len("NATS/1.0\r\n\r\n")
		for name, values := range m.Header {
			for _, v := range values {
				n += len(name) + len(v) + len(": \r\n")
			}
		}
		return n > maxHeaderBytes || int64(n+len(m.Data)) > maxPayload
	}
	if large() {
		for name := range m.Header {
			if !strings.HasPrefix(name, "Replhub-") && name != contract.HeaderMsgID {
				delete(m.Header, name)
			}
		}
	}
	if large() {
		m.Header.Set(contract.HeaderReason, contract.ReasonTooLarge)
		m.Header.Set(contract.HeaderError, fmt.Sprintf("%s: %s; the dead letter has no room for the payload", reason, m.Header.Get(contract.HeaderError)))
		m.Data = nil
	}
}

// oneLine makes a text fit for a header, its lines joined by sep.
func oneLine(text, sep string, limit int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	text = strings.Join(lines, sep)
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + " …"
	}
	return text
}
