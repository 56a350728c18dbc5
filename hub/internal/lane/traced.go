package lane

import (
	"errors"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/internal/contract"
)

// CopyTrace is a copy of an event that carries a trace, as the publisher's header says.
type CopyTrace struct {
	Service, Stream string
	// Subject is the copy's, or the event's if there is no copy; Position is where the
	// event stands in ingest, "<epoch>-<seq>".
	Subject, Position string
	// Traceparent and Tracestate are the event's headers as they are: nobody has
	// checked them.
	Traceparent, Tracestate string
	// Redriven says how often the event came back from the dead letters; empty if never.
	Redriven string
	// Reason is why there is a dead letter instead of a copy; empty for a copy.
	Reason string
}

// errNotStored ends the trace of a copy whose append failed. The lane is read again, and
// the copy is appended again if it is missing.
var errNotStored = errors.New("not known to be stored: the lane is read again")

// traced are copies with a trace that were sent, in the order of their sequences. The
// zero value is ready to use, and stays empty while nobody traces.
type traced struct{ copies []tracedCopy }

type tracedCopy struct {
	seq  uint64 // of the lane
	done func(error)
}

// stored ends the traces of the copies up to a sequence of the lane.
func (t *traced) stored(seq uint64) {
	n := 0
	for n < len(t.copies) && t.copies[n].seq <= seq {
		t.copies[n].done(nil)
		n++
	}
	if n > 0 {
		t.copies = t.copies[:copy(t.copies, t.copies[n:])]
	}
}

// lost ends the traces of all others.
func (t *traced) lost() {
	for _, c := range t.copies {
		c.done(errNotStored)
	}
	t.copies = t.copies[:0]
}

// trace announces the copies of an append that carry a trace.
func (d *driver) trace(a core.Append) {
	if d.env.Traced == nil {
		return
	}
	for i, m := range a.Msgs {
		c := CopyTrace{Subject: m.Subject}
		// The headers are shared with other lanes' appends, so they are read under With's lock.
		_ = m.Header.With(contract.HeaderExpectedLastSeq, nil, func(header map[string][]string) error {
			c.read(header)
			return nil
		})
		d.announce(c, a.Last+uint64(i)+1)
	}
}

// traceRedriven announces the copies of a redrive that carry a trace. last is the sequence
// that they follow in the lane.
func (d *driver) traceRedriven(copies []*nats.Msg, last uint64) {
	if d.env.Traced == nil {
		return
	}
	for i, m := range copies {
		c := CopyTrace{Subject: m.Subject}
		c.read(m.Header)
		d.announce(c, last+uint64(i)+1)
	}
}

func (c *CopyTrace) read(header map[string][]string) {
	c.Traceparent, c.Tracestate = traceOf(header)
	c.Position, c.Redriven = firstOf(header, contract.HeaderPosition), firstOf(header, contract.HeaderRedriven)
}

// announce announces a copy that will have a sequence of the lane, if it carries a trace.
func (d *driver) announce(c CopyTrace, seq uint64) {
	if c.Traceparent == "" {
		return
	}
	c.Service, c.Stream = d.service.String(), d.stream
	if done := d.env.Traced(c); done != nil {
		d.traced.copies = append(d.traced.copies, tracedCopy{seq: seq, done: done})
	}
}

// traceLetter announces a dead letter that is stored.
func (d *driver) traceLetter(s core.StoreLetter) {
	if d.env.Traced == nil {
		return
	}
	c := CopyTrace{
		Service: d.service.String(), Stream: d.stream, Subject: s.Event.Subject.String(),
		Position: s.Event.Pos.String(), Reason: s.Decision.Why,
	}
	if c.Traceparent, c.Tracestate = traceOf(s.Event.Header); c.Traceparent == "" {
		return
	}
	if done := d.env.Traced(c); done != nil {
		done(nil)
	}
}

// traceOf returns the headers of a trace, in whatever letter case they are. A
// traceparent that is there twice says nothing.
func traceOf(header map[string][]string) (parent, state string) {
	parents := 0
	for name, values := range header {
		switch {
		case strings.EqualFold(name, contract.HeaderTraceparent):
			parent = firstOf(header, name)
			parents += len(values)
		case strings.EqualFold(name, contract.HeaderTracestate):
			state = firstOf(header, name)
		}
	}
	if parents != 1 {
		return "", ""
	}
	return parent, state
}

func firstOf(header map[string][]string, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
