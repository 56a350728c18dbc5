package core

import (
	"time"
)

const (
	// maxOpenBytes is the size at which an open append is closed and another one
	// begun. The server drops messages that do not fit into a stream's queue (128
	// MiB), and its flow control counts messages, not bytes.
	maxOpenBytes = 16 << 20
	// MinPatience is more than a hundred times the duration of an append; MaxPatience
	// is for links, disks and machines that are about to fail.
	MinPatience = time.Second
	MaxPatience = 8 * time.Second
)

// open is an open append: its messages are sent and not known to be stored.
type open struct{ bytes int }

// append appends messages behind the tip, into the open append if there is one or if
// opening one is worth it. last ends the append with these messages. All messages
// sent are one append until it is settled: the lane continues as if they were stored,
// and is read again if they were not.
func (l *Lane) append(msgs []Message, bytes int, last bool) Step {
	steady := len(msgs) > 1 || l.now.Sub(l.appendedAt) < settleAfter
	l.appendedAt = l.now
	a := Append{Last: l.tip.Last, Msgs: msgs, Patience: l.patience.time()}
	switch {
	case l.open == nil && (!l.cfg.Fast || last || !steady):
		a.How = Whole
	case l.open == nil:
		a.How = Open
	case last || l.open.bytes >= maxOpenBytes:
		a.How = Close
	default:
		a.How = Add
	}
	l.outgoing.add(l.tip.Last, msgs)
	l.sending = bytes
	return a
}

// Sent answers Append with Open or Add: the messages are on their way, and may or may
// not be stored.
func (l *Lane) Sent() {
	take[Append](l)
	if l.open == nil {
		l.open = new(open)
	}
	l.open.bytes += l.sending
	l.counts.Fast++
	l.moved()
}

// Stored answers Append with Whole or Close: all messages of the append are stored.
func (l *Lane) Stored() {
	a := take[Append](l)
	l.patience.answered()
	l.open = nil
	switch {
	case a.How == Close || l.cfg.Fast && len(a.Msgs) > 1:
		l.counts.Fast++
	case len(a.Msgs) > 1:
		l.counts.Atomic++
	default:
		l.counts.Single++
	}
	l.moved()
}

func (l *Lane) settle() Step { return Settle{l.patience.time()} }

// Settled answers Settle: all sent messages are stored.
func (l *Lane) Settled() {
	take[Settle](l)
	l.patience.answered()
	l.open = nil
	l.storedUpTo(l.tip.Last)
}

// Progressed reports up to which sequence of the lane the open append is stored.
func (l *Lane) Progressed(seq uint64) { l.storedUpTo(seq) }

// AppendEnded reports that the server has ended the open append by itself.
func (l *Lane) AppendEnded(f Failure) {
	if l.asked != nil || l.open == nil {
		return // the awaited answer will say so
	}
	l.fail(f)
}

// moved moves the cursor over the batch that was appended.
func (l *Lane) moved() {
	b := l.work.batch
	l.work.batch = batch{}
	if len(b.msgs) > 0 {
		l.tip.Last += uint64(len(b.msgs))
		if l.open == nil {
			l.storedUpTo(l.tip.Last)
		}
		l.bytes += int64(b.bytes)
		l.unrecorded, l.recordedAt = 0, l.appendedAt
	}
	l.tip.State = l.tip.State.Past(b.end)
	l.unrecorded += b.skipped
	if l.work == &l.followed {
		l.work = nil
	}
	l.gotOn()
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

// storedUpTo counts the copies that are stored up to a sequence of the lane.
func (l *Lane) storedUpTo(seq uint64) {
	copies, bytes := l.outgoing.stored(seq)
	l.counts.Copies += uint64(copies)
	l.counts.Bytes += uint64(bytes)
}
