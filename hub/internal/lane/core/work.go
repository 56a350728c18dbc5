package core

import (
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
)

// maxAppendBytes bounds one append, and so the memory that a lane needs beside the
// events.
const maxAppendBytes = 4 << 20

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
}

// batch is the content of one append: the copies of a run of events.
type batch struct {
	msgs  []Message
	bytes int
	// events is how many events the batch covers, skipped how many of these follow
	// the last copied one, and end is the last event.
	events, skipped int
	end             *event.Event
}

// letterInDoubt is the event whose dead letter was not acknowledged.
type letterInDoubt struct {
	pos event.Position
	row uint64
}

// copyBlock begins to copy a block of events.
func (l *Lane) copyBlock(b ingest.Block, fill bool) {
	if !b.Has(l.table(fill).Wants) {
		l.leave = nil
		l.pass(b.Events)
		return
	}
	l.work = &work{events: b.Events, fill: fill}
	if l.leave != nil {
		l.work.admitted, l.work.last = true, true
		l.work.events = b.Events[:min(len(b.Events), l.leave.Events)]
		l.leave = nil
	}
}

// pass moves the cursor over events that the lane has no interest in.
func (l *Lane) pass(events []*event.Event) {
	l.tip.State = l.tip.State.Past(events[len(events)-1])
	l.unrecorded += len(events)
	l.gotOn()
}

func (l *Lane) endWork() {
	if l.work != nil && l.work.rows != 0 {
		l.rows.drop(l.work.rows)
	}
	l.work = nil
	l.room = room{}
}

// nextOfWork appends the copies that the table of the phase makes of the block, a
// batch at a time, and ends at an event that cannot be processed.
func (l *Lane) nextOfWork(w World) Step {
	k := l.work
	if !k.admitted {
		return l.admit()
	}
	if !k.begun {
		switch {
		case k.stop != nil:
			return l.stop()
		case len(k.events) == 0:
			l.endWork()
			return nil
		}
		allowed, step, full := l.ensureRoom()
		switch {
		case full != nil:
			l.fail(Failure{Err: full})
			return nil
		case step != nil || allowed == 0:
			return step
		}
		k.begun, k.room, k.batch = true, allowed, batch{msgs: make([]Message, 0, len(k.events))}
	}
	if step := l.expand(w); step != nil {
		return step
	}
	k.begun = false
	switch b := k.batch; {
	case b.events == 0:
		return nil
	case len(b.msgs) == 0:
		l.moved()
		return nil
	default:
		return l.append(b.msgs, b.bytes, k.last && len(k.events) == 0)
	}
}

// expand makes the next batch, which ends when the room is used. Dead letters are
// durable before the batch is appended: the append moves the lane past their events.
func (l *Lane) expand(w World) Step {
	k := l.work
	table := l.table(k.fill)
	for len(k.events) > 0 && k.batch.bytes < k.room && k.stop == nil {
		e := k.events[0]
		d := l.cfg.Expand(table, e)
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

// add adds the copy of an event, unless it is too large for the server.
func (b *batch) add(e *event.Event, d match.Decision, maxPayload int) match.Decision {
	m := Message{Subject: d.Subject, Header: e.CopyHeader(), Data: d.Data}
	if m.TooLarge(maxPayload) {
		return match.Decision{Kind: match.Dead, Why: contract.ReasonTooLarge, Err: errTooLarge}
	}
	b.msgs = append(b.msgs, m)
	b.bytes += m.Size()
	b.skipped = -1
	return d
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
	if added || l.letterInDoubt == (letterInDoubt{e.Pos, e.Row}) {
		l.counts.Dead++
	}
	l.letterInDoubt = letterInDoubt{}
	l.work.covered(e)
}

// LetterFailed answers StoreLetter: the letter may not be stored, so the lane cannot
// pass the event. The events before it need not wait.
func (l *Lane) LetterFailed(err error) {
	e := take[StoreLetter](l).Event
	l.letterInDoubt = letterInDoubt{e.Pos, e.Row}
	l.work.stop = err
}

// stop records the lane's position, and then fails with the reason why the lane
// cannot continue. The position is recorded because the letters of earlier events
// must not be stored again once somebody has removed them.
func (l *Lane) stop() Step {
	switch {
	case l.unrecorded > 0:
		return l.record(l.tip.State, WhyPosition)
	case l.open != nil:
		return l.settle()
	}
	l.fail(Failure{Err: l.work.stop})
	return nil
}

// admit asks for leave to copy the block. A lane that must wait for leave holds
// neither events nor an open append meanwhile.
func (l *Lane) admit() Step {
	if a := l.leave; a != nil {
		if l.open != nil {
			return l.settle()
		}
		return a.Admit
	}
	return Admit{Events: len(l.work.events), Bytes: appendSize(l.work.events), Again: l.work.rows == 0}
}

// leave is a leave that had to be waited for; granted says that it was given, and
// that the events are read again.
type leave struct {
	Admit

	granted bool
}

// Admitted answers Admit. ok is always true for a Patient one.
func (l *Lane) Admitted(ok bool) {
	a := take[Admit](l)
	switch {
	case a.Patient && l.work == nil:
		l.leave.granted = true // the events are read now
	case ok:
		l.work.admitted, l.work.last = true, a.Patient
		l.leave = nil
	default:
		a.Patient = true
		l.leave = &leave{Admit: a}
		if a.Again {
			l.work = nil
		}
	}
}

// appendSize is the memory that building the copies of events takes: the events,
// which the tail may no longer hold, and their projections.
func appendSize(events []*event.Event) int64 { return 2 * int64(ingest.Block{Events: events}.Size()) }
