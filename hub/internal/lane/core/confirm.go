package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// A server may begin with an older copy of the lane's stream: a node started from a
// backup, or one that lost writes which it had not synced. The stream then ends at a
// sequence that it had before, and another hub may append other messages up to the very
// sequence that this writer knows as the last one. The stated last sequence then fits,
// and fences nobody. So a writer appends only behind an end that it has seen a moment
// ago:
//
//   - Every request that was under way is lost with the server, and so is an append that
//     was open. A writer whose connection was lost reads the lane first (Reconnected).
//   - On a cluster, and behind a leafnode, a writer may keep its connection, to another
//     server, and notice nothing. A server that stops, gets an older copy and starts needs longer than
//     ConfirmAfter. So a writer whose last answer about the end is older asks for the end
//     once more (ConfirmTip). A faster exchange is not noticed. A writer that is connected to the
//     only server that can have the stream (record.Tip.Direct) need not ask.
//
// The end is compared by its content: the last sequence, the state record with its
// sequence, and the place in ingest (position and time) of the last copy. If these are
// the same, the writer's knowledge holds, whoever appended the messages: copies follow
// from the record and ingest.

// ConfirmAfter is the age of the last answer about the lane's end from which the end is
// confirmed before anything is appended or purged. It must be shorter than the time in
// which a server of a cluster stops, gets another copy of its store, and starts. A shorter
// time costs more: on a cluster, a lane whose events come further apart confirms before
// each of them, with three requests.
const ConfirmAfter = time.Second

// proof is the last answer of the stream's leader about the lane's end.
type proof struct {
	// tip is the end as the stream states it. The lane itself may have passed further
	// events, of which there is no copy.
	// After an open append was sent, it is the end that the append will have.
	tip record.Tip
	// stored is the last sequence that is known to be stored.
	stored uint64
	// at is when the request was sent.
	at time.Time
}

// states notes what a tip says that was read, or written.
func (p *proof) states(tip record.Tip, at time.Time) { *p = proof{tip, tip.Last, at} }

// copied notes that a copy was sent as the lane's last message.
func (p *proof) copied(e *event.Event, last uint64) {
	p.tip.State, p.tip.Last = p.tip.State.Past(e), last
}

// answered notes that everything sent is stored.
func (p *proof) answered(at time.Time) { p.stored, p.at = p.tip.Last, at }

// old reports whether the lane's end is to be confirmed.
func (p *proof) old(now time.Time) bool { return !p.tip.Direct && now.Sub(p.at) > ConfirmAfter }

// is reports whether a tip that was read is the end as this writer knows it.
func (p *proof) is(tip record.Tip) bool {
	return tip.Last == p.tip.Last && tip.StateSeq == p.tip.StateSeq && tip.State.Same(p.tip.State)
}

// ConfirmTip asks the stream's leader for the lane's end, as ReadTip does. The driver
// keeps its readers of ingest.
type ConfirmTip struct{}

func (ConfirmTip) step() {}

// unconfirmed reports whether the lane's end has to be confirmed before the work under
// way continues. An open append needs no confirmation: the server forgets it with its
// end.
func (l *Lane) unconfirmed() bool { return !l.window.isOpen() && l.view.proof.old(l.now) }

// TipConfirmed answers ConfirmTip with the tip that was read.
func (l *Lane) TipConfirmed(tip record.Tip) {
	take[ConfirmTip](l)
	if l.view.proof.is(tip) {
		l.view.tip.Direct, l.view.proof.tip.Direct = tip.Direct, tip.Direct
		l.view.proof.answered(l.askedAt)
		return
	}
	l.report.counts.Fenced++
	l.abandon()
	l.tipRead(tip)
}

// lossConfirmed answers ConfirmTip: the stream ends at last, and has no state record. A
// writer that knew this writes the record that it has decided on.
func (l *Lane) lossConfirmed(last uint64) {
	take[ConfirmTip](l)
	if known := l.view.proof.tip; known.StateSeq == 0 && known.Last == last {
		l.view.proof.answered(l.askedAt)
		return
	}
	l.abandon()
	l.view.known = unread
}

// Reconnected reports that the driver's connection was lost and is back. It is called
// between two steps.
func (l *Lane) Reconnected() {
	if l.asked != nil {
		panic("lane: reconnected before the step was answered")
	}
	l.changes.disconnected()
	l.abandon()
	l.view.known = unread
}

// abandon gives up the work under way, because the lane may not end where this writer
// believes. A change is decided again.
func (l *Lane) abandon() {
	l.copier.abandon()
	l.rows.dropAll()
	l.window.open, l.journal.draft, l.phases.readIn = nil, nil, nil
	l.changes.failed(Failure{Refused: true})
}
