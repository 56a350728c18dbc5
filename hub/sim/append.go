package sim

import (
	"errors"
	"strconv"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// headers are the headers of a message of a lane; the model keeps them as its Value.
type headers map[string][]string

// batch is an open append, whose messages are on their way one after the other.
type batch struct {
	writer *writer // nil once the writer has given it up
	// expect is the last sequence that the next message states.
	expect uint64
	queue  []model.Publish
	fast   *model.Fast
	sent   int
	err    error // why the server ended it
	// gone says that the server has begun again and does not know the batch.
	gone bool
	call *call
}

// append performs an Append; true if the next step may follow at once.
func (l *writer) append(s core.Append) bool {
	msgs := l.messages(s.Last, s.Msgs)
	switch {
	case s.How == core.Open:
		l.batch = l.openBatch(s.Last)
		l.batch.add(msgs)
		l.lane.Sent()
		return true
	case s.How == core.Add:
		l.batch.add(msgs)
		l.lane.Sent()
		return true
	case s.How == core.Close:
		l.batch.add(msgs)
		l.closeBatch(l.lane.Stored)
		return false
	case len(msgs) > 1 && l.h.w.fast:
		l.batch = l.openBatch(s.Last)
		l.batch.add(msgs)
		l.closeBatch(l.lane.Stored)
		return false
	}
	l.whole(s.Last, msgs)
	return l.h.w.cfg.Flaw == TwoAppends
}

// whole appends one message, or an atomic batch.
func (l *writer) whole(last uint64, msgs []model.Publish) {
	w := l.h.w
	then := func(err error) {
		if err != nil {
			l.failed(refusal(err))
			return
		}
		l.lane.Stored()
		l.turn()
	}
	if w.cfg.Flaw == TwoAppends {
		l.lane.Stored() // as soon as it is sent
		then = func(error) {}
	}
	w.ask(l.self, l.service.text, "append", func() error {
		stream := w.lanes[l.service.text]
		if w.cfg.Flaw == NoExpectedSequence {
			last = stream.Info().Last
			for i := range msgs {
				msgs[i].Last = nil
			}
		}
		if len(msgs) == 1 {
			ack, err := stream.Publish(msgs[0], w.now)
			if err == nil {
				w.judge.appended(l.h, l.service.text, ack.Seq)
			}
			return err
		}
		first := stream.Info().Last + 1
		for i := range msgs {
			msgs[i].Last = nil // an atomic batch states it once
		}
		if _, err := stream.Atomic(last, msgs, w.now); err != nil {
			return err
		}
		for i := range msgs {
			w.judge.appended(l.h, l.service.text, first+uint64(i))
		}
		return nil
	}, then)
}

// messages are copies as they go out, each with the sequence that it follows.
func (l *writer) messages(last uint64, msgs []core.Message) []model.Publish {
	out := make([]model.Publish, len(msgs))
	for i, m := range msgs {
		at := last + uint64(i)
		h := headers(m.Header.Clone())
		h[contract.HeaderExpectedLastSeq] = []string{strconv.FormatUint(at, 10)}
		if l.h.w.policies.on {
			h[payload] = []string{string(m.Data)}
		}
		out[i] = model.Publish{Subject: m.Subject, Value: h, Last: &at, HeaderBytes: m.Size()}
	}
	return out
}

// refusal is why an append failed.
func refusal(err error) core.Failure {
	if refused, ok := errors.AsType[*model.Error](err); ok && refused.Code == model.CodeWrongLast {
		return core.Failure{Err: err, Refused: true}
	}
	return core.Failure{Err: err, Late: errors.Is(err, errLost), NotStored: errors.Is(err, errAway)}
}

// openBatch begins a fast batch. Each time its call is served, the server takes one
// message. The call ends the batch after closeBatch, when all messages have come.
func (l *writer) openBatch(last uint64) *batch {
	w := l.h.w
	b := &batch{writer: l, expect: last}
	b.call = w.ask(&process{name: l.self.name, hub: l.h}, l.service.text, "batch", func() error {
		if b.gone {
			b.err = errors.Join(b.err, errBatchGone)
		}
		return b.err
	}, nil)
	b.call.batch = b
	return b
}

// errBatchGone is the server's answer to a message of a batch that it does not know.
var errBatchGone = errors.New("unknown batch")

func (b *batch) add(msgs []model.Publish) {
	b.queue = append(b.queue, msgs...)
	b.sent += len(msgs)
}

// waiting reports whether the server can take a message, or the end of the batch. A
// batch whose writer has given it up has no end.
func (b *batch) waiting() bool { return len(b.queue) > 0 || b.call.then != nil || b.writer == nil }

// arrive lets the next message of a batch arrive; false if there is none.
func (b *batch) arrive(w *World, service string) bool {
	if len(b.queue) == 0 {
		return false
	}
	p := b.queue[0]
	b.queue = b.queue[1:]
	stream := w.lanes[service]
	if b.gone {
		b.ended(errBatchGone)
		return true
	}
	if b.fast == nil {
		b.fast = stream.OpenFast()
	}
	if w.away[service] {
		b.fast.Gap() // the message is lost
		return true
	}
	if w.cfg.Flaw == NoExpectedSequence {
		p.Last = nil
	}
	if err := b.fast.Add(p, w.now); err != nil {
		b.ended(err)
		return true
	}
	w.judge.appended(b.call.from.hub, service, stream.Info().Last)
	return true
}

// ended notes that the server has ended the batch. The writer gets that answer unless it
// waits for another one.
func (b *batch) ended(err error) {
	if b.err != nil {
		return
	}
	b.err = err
	if l := b.writer; l != nil && b.call.then == nil && l.waits != nil && !l.self.dead && !l.h.frozen {
		l.batch = nil
		b.writer = nil
		l.waits = nil
		l.lane.AppendEnded(refusal(err))
		l.turn()
	}
}

// closeBatch ends the open append: its call answers once every message has come.
func (l *writer) closeBatch(stored func()) {
	b := l.batch
	l.batch = nil
	b.call.from = l.self
	b.call.then = func(err error) {
		switch {
		case err == nil && (b.fast == nil || int(b.fast.Stored()) < b.sent):
			l.failed(core.Failure{Err: errLost})
		case err != nil:
			l.failed(refusal(err))
		default:
			stored()
			l.turn()
		}
	}
}

func (l *writer) settle() { l.closeBatch(l.lane.Settled) }

// record appends a state record.
func (l *writer) record(s core.Record) {
	w := l.h.w
	s.State.Hub = l.h.name
	data, err := record.Encode(s.State)
	if err != nil {
		l.lane.NotSent(err)
		l.turn()
		return
	}
	p := stateMessage(l.service.name, data, s.Last)
	w.ask(l.self, l.service.text, "record", func() error {
		if s.Copies > 0 {
			return l.recordBehindCopies(s, p)
		}
		if w.cfg.Flaw == NoExpectedSequence {
			p.Last = nil
		}
		stream := w.lanes[l.service.text]
		_, err := stream.Publish(p, w.now)
		if err == nil {
			w.judge.recorded(l.service.text, s.State)
		}
		return err
	}, func(err error) {
		if err != nil {
			l.failed(refusal(err))
			return
		}
		l.lane.Recorded(len(data))
		l.turn()
	})
}

func stateMessage(service subjects.Name, data []byte, last uint64) model.Publish {
	h := headers{contract.HeaderState: {"1"}, contract.HeaderExpectedLastSeq: {strconv.FormatUint(last, 10)}}
	return model.Publish{Subject: subjects.State(service), Data: string(data), Value: h, Last: &last}
}
