package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// slice is the length of one turn of live copying or of a fill, and so about how
// long a live event waits while a fill is under way.
const slice = 500 * time.Millisecond

// phases decide which events or rows are copied next: the live ones or those of a fill.
type phases struct {
	view    *view
	window  *window
	journal *journal
	room    *room
	rows    *rows
	copier  *copier
	trouble *trouble

	began  time.Time // when the phase began, or the lane was read
	readIn *readIn   // the answer to ReadEvents, if there were no events
}

// readIn is the result of a ReadEvents without events: whether the lane is at the
// end.
type readIn struct{ end bool }

// next copies events or rows according to the phase of the state record.
func (p *phases) next(w World) Step {
	if step, full := p.nextFetch(); full != nil {
		return giveUp{full}
	} else if step != nil {
		return step
	}
	s := p.view.tip.State
	if p.copier.leave == nil && p.readIn == nil && p.journal.due(w.Now) {
		return draft{State: s, Why: WhyPosition}
	}
	switch {
	case s.Phase != record.Filling:
		return p.nextLive(w)
	case s.ActiveSnapshot() != nil:
		return p.nextRows(w)
	default:
		return p.nextFill(w)
	}
}

// nextLive copies the next block of live events, or hands over to a fill, or waits for
// more.
func (p *phases) nextLive(w World) Step {
	s := p.view.tip.State
	fill, fillWaits := p.readyFill()
	if fillWaits && w.Now.Sub(p.began) > slice {
		return draft{State: s.InFill(fill), Why: WhyPhase}
	}
	if step := p.repeatAdmit(); step != nil {
		return step
	}
	found := p.readIn
	p.readIn = nil
	switch {
	case found == nil:
		return ReadEvents{From: s.Pos}
	case fillWaits && found.end:
		return draft{State: s.InFill(fill), Why: WhyPhase}
	case !found.end:
		return p.window.settleBefore(nil) // the lane may wait long for a reader
	}
	p.trouble.gotOn(w.Clock)
	return p.waitForEvents(w)
}

// repeatAdmit asks again for leave that could not be given at once.
func (p *phases) repeatAdmit() Step {
	if p.copier.leave == nil || p.copier.leave.granted {
		return nil
	}
	return p.copier.admit()
}

// waitForEvents waits at the end of ingest. It ends an append to which no message was
// added for a while, and records the position when the stream has not stated it for a
// while.
func (p *phases) waitForEvents(w World) Step {
	stand := Wait{Events: true, Stand: true}
	stall := &p.trouble.stall
	switch {
	case p.window.isOpen():
		if stand.D = p.window.left(w.Now); stand.D <= 0 {
			return p.window.settle()
		}
	case stall.Open():
		stand.D = stall.Left(w.Clock) + time.Millisecond
	case p.journal.unrecorded > 0:
		if stand.D = p.journal.left(w.Now); stand.D <= 0 {
			return draft{State: p.view.tip.State, Why: WhyPosition}
		}
	}
	return stand
}

// nextFill copies the next block of the fill under way. A fill ends at the live
// position. Until then live copying has a turn after every slice, so that live events
// wait about one slice. The sequences decide first: the cursors were checked, so they are of
// one stream, and a lane that resumed at the start of an epoch has the fill's last event
// under the number of the new epoch.
func (p *phases) nextFill(w World) Step {
	s := p.view.tip.State
	at, to := s.Fills[0].At, s.Pos
	if at.Seq >= to.Seq || to.Before(at.Position) {
		return draft{State: s.FillDone(), Why: WhyFillDone}
	}
	if p.sliceOver(w) {
		return p.toLive()
	}
	if step := p.repeatAdmit(); step != nil {
		return step
	}
	found := p.readIn
	switch {
	case found == nil:
		return ReadEvents{Fill: true, From: at, To: to}
	case p.window.isOpen(): // the lane may wait long
		return p.window.settle()
	}
	p.readIn = nil
	if found.end {
		// The live position is beyond what the tail has read in yet.
		return Wait{D: slice, Events: true}
	}
	return nil
}

// sliceOver reports whether a fill has had its turn while live events wait.
func (p *phases) sliceOver(w World) bool {
	return w.Now.Sub(p.began) > slice && p.liveWaits(w)
}

// liveWaits reports whether events wait for the live interests.
func (p *phases) liveWaits(w World) bool { return p.view.tip.State.Pos.Before(w.End) }

func (p *phases) toLive() Step {
	return draft{State: p.view.tip.State.In(record.Live), Why: WhyPhase}
}

// readyFill returns the first fill that can continue. The fill of a snapshot cannot
// continue while it has no rows.
func (p *phases) readyFill() (i int, ok bool) {
	for i, f := range p.view.tip.State.Fills {
		if f.Snapshot == nil || p.rows.ready(f) {
			return i, true
		}
	}
	return 0, false
}

// upTo cuts events off behind a position.
func upTo(events []*event.Event, to event.Position) []*event.Event {
	for i, e := range events {
		if to.Before(e.Pos) {
			return events[:i]
		}
	}
	return events
}

// EventsRead answers ReadEvents with the events that follow the mark, or none. end
// says that ingest has no more events, as far as the hub has read it.
func (l *Lane) EventsRead(b ingest.Block, end bool) {
	asked := take[ReadEvents](l)
	if asked.Fill {
		b.Events = upTo(b.Events, l.view.tip.State.Pos.Position)
	}
	if len(b.Events) == 0 {
		l.phases.readIn, l.copier.leave = &readIn{end}, nil
		return
	}
	l.copier.begin(b, asked.Fill, l.clock)
}
