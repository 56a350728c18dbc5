package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
)

// copier copies a block of events: it gets leave to copy, decides on each event, and
// appends the copies a batch at a time.
type copier struct {
	view    *view
	window  *window
	journal *journal
	room    *room
	rows    *rows
	trouble *trouble
	decide  func(*match.Table, *event.Event) match.Decision

	work          *work  // what is being copied
	leave         *leave // leave to copy, if it had to be waited for
	followed      work   // what Follow copies
	letterInDoubt letterInDoubt
}

// work is a block of events, or rows, that is being copied.
type work struct {
	// events are the events that are not yet in the batch.
	events []*event.Event
	fill   bool
	// last ends the append with the block: the lane had to wait for leave, so other
	// lanes wait too.
	last bool
	// admitted says that there is leave to copy the block, which is asked for in one
	// step.
	admitted bool
	// batch is the content of the next append; begun says that it is being expanded.
	batch batch
	begun bool
	room  int
	// stop is why the event behind the batch cannot be processed; nil when it can.
	stop error
	// rows is the number of the rows' fetch; 0 for events.
	rows int
	// keyed says that the rows are those of a backfill of keys: a row that the service does
	// not get is a delete.
	keyed bool
}

// batch is the content of one append: the copies of a run of events.
type batch struct {
	msgs  []Message
	bytes int
	// events is how many events the batch covers, skipped how many of these follow
	// the last copied one, and end is the last event.
	events, skipped int
	end             *event.Event
	// copied is the last event that has a copy.
	copied *event.Event
}

// letterInDoubt is the event whose dead letter was not acknowledged.
type letterInDoubt struct {
	pos event.Position
	row uint64
}

// begin begins to copy a block of events.
func (c *copier) begin(b ingest.Block, fill bool, clock time.Time) {
	if !b.Has(c.view.table(fill).Wants) {
		c.leave = nil
		c.pass(b.Events, clock)
		return
	}
	c.work = &work{events: b.Events, fill: fill}
	if c.leave != nil {
		c.work.admitted, c.work.last = true, true
		c.work.events = b.Events[:min(len(b.Events), c.leave.Events)]
		c.leave = nil
	}
}

// pass moves the cursor over events that the lane has no interest in.
func (c *copier) pass(events []*event.Event, clock time.Time) {
	s := &c.view.tip.State
	*s = s.Past(events[len(events)-1])
	c.journal.unrecorded += len(events)
	c.trouble.gotOn(clock)
}

// moved moves the cursor over the batch that was appended.
func (c *copier) moved(clock time.Time) {
	b := c.work.batch
	c.work.batch = batch{}
	tip := &c.view.tip
	if len(b.msgs) > 0 {
		tip.Last += uint64(len(b.msgs))
		c.view.proof.copied(b.copied, tip.Last)
		if !c.window.isOpen() {
			c.window.storedUpTo(tip.Last)
		}
		c.room.bytes += int64(b.bytes)
		c.journal.stated(c.window.appendedAt)
	}
	tip.State = tip.State.Past(b.end)
	c.journal.unrecorded += b.skipped
	if c.work == &c.followed {
		c.work = nil
	}
	c.trouble.gotOn(clock)
}

// end ends the work on a block.
func (c *copier) end() {
	if c.work != nil && c.work.rows != 0 {
		c.rows.drop(c.work.rows)
	}
	c.work = nil
	c.room.end()
}

// abandon gives up the block, and the leave to copy it.
func (c *copier) abandon() {
	c.end()
	c.leave = nil
}

// next appends the copies that the table of the phase makes of the block, a batch at a
// time, and ends at an event that cannot be processed.
func (c *copier) next(w World) Step {
	k := c.work
	if !k.admitted {
		return c.admit()
	}
	if !k.begun {
		switch {
		case k.stop != nil:
			return c.stop()
		case len(k.events) == 0:
			c.end()
			return nil
		}
		allowed, step, full := c.room.ensure()
		switch {
		case full != nil:
			return giveUp{full}
		case step != nil || allowed == 0:
			return step
		}
		k.begun, k.room, k.batch = true, allowed, batch{msgs: make([]Message, 0, len(k.events))}
	}
	if step := c.expand(w); step != nil {
		return step
	}
	k.begun = false
	switch b := k.batch; {
	case b.events == 0:
		return nil
	case len(b.msgs) == 0:
		c.moved(w.Clock)
		return nil
	default:
		return c.window.append(c.view.tip.Last, b.msgs, b.bytes, k.last && len(k.events) == 0, w.Now)
	}
}

// expand makes the next batch, which ends when the room is used. Dead letters are
// durable before the batch is appended: the append moves the lane past their events.
func (c *copier) expand(w World) Step {
	k := c.work
	table := c.view.table(k.fill)
	for len(k.events) > 0 && k.batch.bytes < k.room && k.stop == nil {
		e := k.events[0]
		d := c.decide(table, e)
		if k.keyed && leftOut(d) {
			e = e.WithoutRow()
			d = c.decide(table, e)
		}
		if d.Kind == match.Copy {
			d = k.batch.add(e, d, w.MaxPayload)
		}
		if d.Kind == match.Dead {
			return StoreLetter{Event: e, Decision: d}
		}
		k.covered(e)
	}
	return nil
}

// leftOut reports whether the service does not get a row that there is.
func leftOut(d match.Decision) bool {
	return d.Kind == match.Skip && (d.Why == contract.VerdictFiltered || d.Why == contract.VerdictNotAllowed)
}

// add adds the copy of an event, unless it is too large for the server.
func (b *batch) add(e *event.Event, d match.Decision, maxPayload int) match.Decision {
	m := Message{Subject: d.Subject, Header: headerOf(e, d), Data: d.Data}
	if m.TooLarge(maxPayload) {
		return match.Decision{Kind: match.Dead, Why: contract.ReasonTooLarge, Err: errTooLarge}
	}
	b.msgs = append(b.msgs, m)
	b.bytes += m.Size()
	b.skipped, b.copied = -1, e
	return d
}

// headerOf is the header of a copy. Most copies of an event share one.
func headerOf(e *event.Event, d match.Decision) *event.Header {
	if d.Bare {
		return e.BareHeader()
	}
	return e.CopyHeader()
}

// covered moves the first event into the batch's coverage.
func (k *work) covered(e *event.Event) {
	k.events = k.events[1:]
	k.batch.events++
	k.batch.skipped++
	k.batch.end = e
}

// LetterStored answers StoreLetter. added is false where the letter was already
// stored: an event behind which an append is in doubt is expanded again. A letter
// whose answer was lost is also found stored at the second attempt, and is then not
// yet counted.
func (l *Lane) LetterStored(added bool) {
	e := take[StoreLetter](l).Event
	c := &l.copier
	if added || c.letterInDoubt == (letterInDoubt{e.Pos, e.Row}) {
		l.report.counts.Dead++
	}
	c.letterInDoubt = letterInDoubt{}
	c.work.covered(e)
}

// LetterFailed answers StoreLetter: the letter may not be stored, so the lane cannot
// pass the event. The events before it need not wait.
func (l *Lane) LetterFailed(err error) {
	e := take[StoreLetter](l).Event
	l.copier.letterInDoubt = letterInDoubt{e.Pos, e.Row}
	l.copier.work.stop = err
}

// stop records the lane's position, and then fails with the reason why the lane
// cannot continue. The position is recorded because the letters of earlier events
// must not be stored again once somebody has removed them.
func (c *copier) stop() Step {
	if c.journal.unrecorded > 0 {
		return draft{State: c.view.tip.State, Why: WhyPosition}
	}
	return c.window.settleBefore(giveUp{c.work.stop})
}

// admit asks for leave to copy the block. A lane that must wait for leave holds
// neither events nor an open append meanwhile.
func (c *copier) admit() Step {
	if c.leave != nil {
		return c.window.settleBefore(c.leave.Admit)
	}
	return Admit{Events: len(c.work.events), Bytes: appendSize(c.work.events), Again: c.work.rows == 0}
}

// leave is a leave that had to be waited for; granted says that it was given, and
// that the events are read again.
type leave struct {
	Admit

	granted bool
}

// Admitted answers Admit. ok is always true for a Patient one.
func (l *Lane) Admitted(ok bool) {
	a, c := take[Admit](l), &l.copier
	switch {
	case a.Patient && c.work == nil:
		c.leave.granted = true // the events are read now
	case ok:
		c.work.admitted, c.work.last = true, a.Patient
		c.leave = nil
	default:
		a.Patient = true
		c.leave = &leave{Admit: a}
		if a.Again {
			c.work = nil
		}
	}
}

// appendSize is the memory that building the copies of events takes: the events,
// which the tail may no longer hold, and their projections.
func appendSize(events []*event.Event) int64 { return 2 * int64(ingest.Block{Events: events}.Size()) }
