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
	pos := l.view.tip.State.Pos
	if !l.standing || l.view.stale || l.view.known != read || l.view.tip.State.Phase != record.Live || e.Pos.Epoch != pos.Epoch {
		return Left, Append{}
	}
	switch {
	case e.Pos.Seq <= pos.Seq:
		return Took, Append{} // the lane was faster
	case e.Pos.Seq > pos.Seq+1:
		return Left, Append{}
	}
	l.now, l.clock = now, clock
	followed, a := l.copier.follow(now, clock, e, ready, maxPayload)
	if followed == Copied {
		l.asked = a
	}
	return followed, a
}

// follow processes the event behind the live position.
func (c *copier) follow(now, clock time.Time, e *event.Event, ready bool, maxPayload int) (Followed, Append) {
	if !c.view.live.Wants(e.Subject.Entity()) {
		return c.followPast(e, clock), Append{}
	}
	if !ready || !c.window.isOpen() || c.window.takesNoMore() || c.room.full() {
		return Left, Append{}
	}
	d := c.decide(c.view.live, e)
	switch d.Kind {
	case match.Skip:
		return c.followPast(e, clock), Append{}
	case match.Copy:
		return c.followCopy(e, d, maxPayload, now)
	default:
		return Left, Append{} // a dead letter is stored first
	}
}

// followPast passes over an event. The first passed event makes Next watch the time.
func (c *copier) followPast(e *event.Event, clock time.Time) Followed {
	if c.journal.unrecorded == 0 || c.journal.unrecorded >= recordAfter {
		return Left
	}
	c.pass([]*event.Event{e}, clock)
	return Took
}

// followCopy adds a copy to the open append.
func (c *copier) followCopy(e *event.Event, d match.Decision, maxPayload int, now time.Time) (Followed, Append) {
	b := batch{events: 1, end: e}
	if d = b.add(e, d, maxPayload); d.Kind != match.Copy {
		return Left, Append{}
	}
	b.skipped = 0
	c.followed = work{batch: b}
	c.work = &c.followed
	return Copied, c.window.append(c.view.tip.Last, b.msgs, b.bytes, false, now)
}

// Unsent answers Copied: the message could not be sent without waiting, and the event
// waits for Next.
func (l *Lane) Unsent() {
	take[Append](l)
	l.window.outgoing.takeBack(1)
	l.copier.work = nil
}
