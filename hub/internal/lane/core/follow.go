package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
)

// Followed is the outcome of Follow.
type Followed int

// The outcomes of Follow.
const (
	// Left means that the event waits for Next.
	Left Followed = iota
	// Took means that the cursor stands behind the event.
	Took
	// Copied means that the driver must send the copy into the open append, and
	// answer with Sent, Failed or Unsent.
	Copied
)

// Follow takes an event if the lane stands right before it and can process it without
// waiting. It may be called while the step is a Wait with Stand. ready says that the
// open append takes another message without waiting, and that the event may be judged
// at once.
func (l *Lane) Follow(now, clock time.Time, e *event.Event, ready bool, maxPayload int) (Followed, Append) {
	pos := l.tip.State.Pos
	if !l.standing || l.stale || l.known != read || l.tip.State.Phase != record.Live || e.Pos.Epoch != pos.Epoch {
		return Left, Append{}
	}
	switch {
	case e.Pos.Seq <= pos.Seq:
		return Took, Append{} // the lane was faster
	case e.Pos.Seq > pos.Seq+1:
		return Left, Append{}
	}
	l.now, l.clock = now, clock
	if !l.live.Wants(e.Subject.Entity()) {
		return l.followPast(e), Append{}
	}
	if !ready || l.open == nil || l.open.bytes >= maxOpenBytes || l.full() {
		return Left, Append{}
	}
	d := l.cfg.Expand(l.live, e)
	switch d.Kind {
	case match.Skip:
		return l.followPast(e), Append{}
	case match.Copy:
		return l.followCopy(e, d, maxPayload)
	default:
		return Left, Append{} // a dead letter is stored first
	}
}

// followPast passes over an event. The first passed event makes Next watch the time.
func (l *Lane) followPast(e *event.Event) Followed {
	if l.unrecorded == 0 || l.unrecorded >= recordAfter {
		return Left
	}
	l.pass([]*event.Event{e})
	return Took
}

// followCopy adds a copy to the open append.
func (l *Lane) followCopy(e *event.Event, d match.Decision, maxPayload int) (Followed, Append) {
	b := batch{events: 1, end: e}
	if d = b.add(e, d, maxPayload); d.Kind != match.Copy {
		return Left, Append{}
	}
	b.skipped = 0
	l.followed = work{batch: b}
	l.work = &l.followed
	a, _ := l.append(b.msgs, b.bytes, false).(Append)
	l.asked = a
	return Copied, a
}

// Unsent answers Copied: the message could not be sent without waiting, and the event
// waits for Next.
func (l *Lane) Unsent() {
	take[Append](l)
	l.outgoing.takeBack(1)
	l.work = nil
}
