package core

import (
	"time"
)

const (
	// settleAfter is how long an append stays open without another message. A
	// lane whose events are further apart appends them one by one.
	settleAfter = 10 * time.Millisecond
	// maxOpenBytes is the size at which an open append is closed and another one
	// begun. The server drops messages that do not fit into a stream's queue (128
	// MiB), and its flow control counts messages, not bytes.
	maxOpenBytes = 16 << 20
	// MinPatience is more than a hundred times the duration of an append; MaxPatience
	// is for links, disks and machines that are about to fail.
	MinPatience = time.Second
	MaxPatience = 8 * time.Second
)

// window is the part of the lane's stream that is sent and not known to be stored: the
// append that is open, and the answers that it waits for.
type window struct {
	fast   bool
	counts *Counts

	open       *open // nil when there is none
	outgoing   outgoing
	patience   patience
	appendedAt time.Time // when the last append was sent
	sending    int       // bytes of the append that is asked for
}

// open is an open append: its messages are sent and not known to be stored.
type open struct{ bytes int }

// append appends messages behind a last sequence, into the open append if there is one
// or if opening one is worth it. final ends the append with these messages. All
// messages sent are one append until it is settled: the lane continues as if they were
// stored, and is read again if they were not.
func (w *window) append(last uint64, msgs []Message, bytes int, final bool, now time.Time) Append {
	steady := len(msgs) > 1 || now.Sub(w.appendedAt) < settleAfter
	w.appendedAt = now
	a := Append{Last: last, Msgs: msgs, Patience: w.patience.time()}
	switch {
	case w.open == nil && (!w.fast || final || !steady):
		a.How = Whole
	case w.open == nil:
		a.How = Open
	case final || w.takesNoMore():
		a.How = Close
	default:
		a.How = Add
	}
	w.outgoing.add(last, msgs)
	w.sending = bytes
	return a
}

func (w *window) isOpen() bool { return w.open != nil }

func (w *window) takesNoMore() bool { return w.open.bytes >= maxOpenBytes }

func (w *window) settle() Step { return Settle{w.patience.time()} }

// settleBefore is a step that needs all sent messages to be stored.
func (w *window) settleBefore(step Step) Step {
	if w.isOpen() {
		return w.settle()
	}
	return step
}

// left is how much longer the open append waits for another message.
func (w *window) left(now time.Time) time.Duration { return settleAfter - now.Sub(w.appendedAt) }

// sent notes that the messages asked for are on their way.
func (w *window) sent() {
	if w.open == nil {
		w.open = new(open)
	}
	w.open.bytes += w.sending
	w.counts.Fast++
}

// stored notes that all messages of an append are stored.
func (w *window) stored(a Append) {
	w.closed()
	switch {
	case a.How == Close || w.fast && len(a.Msgs) > 1:
		w.counts.Fast++
	case len(a.Msgs) > 1:
		w.counts.Atomic++
	default:
		w.counts.Single++
	}
}

// closed notes the answer that ends an append.
func (w *window) closed() {
	w.patience.answered()
	w.open = nil
}

// storedUpTo counts the copies that are stored up to a sequence of the lane.
func (w *window) storedUpTo(seq uint64) {
	copies, bytes := w.outgoing.stored(seq)
	w.counts.Copies += uint64(copies)
	w.counts.Bytes += uint64(bytes)
}

// patience is how long a lane waits for the server's answer to an append. After that
// it is unknown what was stored, and the lane is read again. A change of leaders
// loses answers, so the wait is short; where answers are slow, it grows until they
// come in time. The zero value is ready to use.
type patience time.Duration

func (p *patience) time() time.Duration { return max(time.Duration(*p), MinPatience) }

// answered notes an answer. It makes the patience only a little shorter, so that few
// later answers are missed where answers are slow.
func (p *patience) answered() { *p = patience(p.time() * 15 / 16) }

// missed notes an answer that did not come in time.
func (p *patience) missed() { *p = patience(min(2*p.time(), MaxPatience)) }

// outgoing are the sizes of copies that were handed to an append and are not known to
// be stored. Copies are counted once they are known to be stored: an append whose
// outcome is in doubt is repeated from the place where the lane is then found to
// stand.
type outgoing struct {
	// first is the lane's sequence that the first of the sizes gets.
	first uint64
	sizes []int
}

// add takes copies that are appended behind a last sequence.
func (o *outgoing) add(last uint64, msgs []Message) {
	if len(o.sizes) == 0 {
		o.first = last + 1
	}
	for _, m := range msgs {
		o.sizes = append(o.sizes, m.Size())
	}
}

// stored takes out the copies up to a sequence of the lane, which are stored.
func (o *outgoing) stored(upTo uint64) (msgs, bytes int) {
	if upTo < o.first {
		return 0, 0
	}
	msgs = int(min(upTo-o.first+1, uint64(len(o.sizes))))
	for _, size := range o.sizes[:msgs] {
		bytes += size
	}
	rest := copy(o.sizes, o.sizes[msgs:])
	o.sizes = o.sizes[:rest]
	o.first += uint64(msgs)
	return msgs, bytes
}

// takeBack takes out the last copies, which were not sent.
func (o *outgoing) takeBack(n int) { o.sizes = o.sizes[:len(o.sizes)-n] }

// lost forgets the copies that are not stored.
func (o *outgoing) lost() { o.sizes = o.sizes[:0] }

// Sent answers Append with Open or Add: the messages are on their way, and may or may
// not be stored.
func (l *Lane) Sent() {
	take[Append](l)
	l.window.sent()
	l.copier.moved(l.clock)
}

// Stored answers Append with Whole or Close: all messages of the append are stored.
func (l *Lane) Stored() {
	l.window.stored(take[Append](l))
	l.copier.moved(l.clock)
	l.view.proof.answered(l.askedAt)
}

// Settled answers Settle: all sent messages are stored.
func (l *Lane) Settled() {
	take[Settle](l)
	l.window.closed()
	l.window.storedUpTo(l.view.tip.Last)
	l.view.proof.answered(l.askedAt)
}

// Progressed reports up to which sequence of the lane the open append is stored.
func (l *Lane) Progressed(seq uint64) { l.window.storedUpTo(seq) }

// AppendEnded reports that the server has ended the open append by itself.
func (l *Lane) AppendEnded(f Failure) {
	if l.asked != nil || !l.window.isOpen() {
		return // the awaited answer will say so
	}
	l.fail(f)
}
