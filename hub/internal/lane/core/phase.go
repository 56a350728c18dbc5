package core

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// readIn is the result of a ReadEvents without events: whether the lane is at the
// end.
type readIn struct{ end bool }

// nextLive copies the next block of live events, or hands over to a fill, or waits for
// more.
func (l *Lane) nextLive() Step {
	fill, fillWaits := l.readyFill()
	if fillWaits && l.now.Sub(l.phaseBegan) > slice {
		return l.record(l.tip.State.InFill(fill), WhyPhase)
	}
	if step := l.askedAgain(); step != nil {
		return step
	}
	found := l.readIn
	l.readIn = nil
	switch {
	case found == nil:
		return ReadEvents{From: l.tip.State.Pos}
	case fillWaits && found.end:
		return l.record(l.tip.State.InFill(fill), WhyPhase)
	case !found.end:
		if l.open != nil { // the lane may wait long for a reader
			return l.settle()
		}
		return nil
	}
	l.gotOn()
	return l.waitForEvents()
}

// askedAgain asks again for leave that could not be given at once.
func (l *Lane) askedAgain() Step {
	if l.leave == nil || l.leave.granted {
		return nil
	}
	return l.admit()
}

// waitForEvents waits at the end of ingest. It ends an append to which no message was
// added for a while, and records the position when the stream has not stated it for a
// while.
func (l *Lane) waitForEvents() Step {
	stand := Wait{Events: true, Stand: true}
	switch {
	case l.open != nil:
		if stand.D = settleAfter - l.now.Sub(l.appendedAt); stand.D <= 0 {
			return l.settle()
		}
	case l.stall.Open():
		stand.D = l.stall.Left(l.clock) + time.Millisecond
	case l.unrecorded > 0:
		if stand.D = recordEvery - l.now.Sub(l.recordedAt); stand.D <= 0 {
			return l.record(l.tip.State, WhyPosition)
		}
	}
	return stand
}

// EventsRead answers ReadEvents with the events that follow the mark, or none. end
// says that ingest has no more events, as far as the hub has read it.
func (l *Lane) EventsRead(b ingest.Block, end bool) {
	asked := take[ReadEvents](l)
	if asked.Fill {
		b.Events = upTo(b.Events, l.tip.State.Pos.Position)
	}
	if len(b.Events) == 0 {
		l.readIn, l.leave = &readIn{end}, nil
		return
	}
	l.copyBlock(b, asked.Fill)
}

// nextFill copies the next block of the fill under way. A fill ends at the live
// position. Until then live copying has a turn after every slice, so that live events
// wait about one slice. The sequences decide first: the cursors were checked, so they are of
// one stream, and a lane that resumed at the start of an epoch has the fill's last event
// under the number of the new epoch.
func (l *Lane) nextFill(w World) Step {
	s := l.tip.State
	at, to := s.Fills[0].At, s.Pos
	if at.Seq >= to.Seq || to.Before(at.Position) {
		return l.record(s.FillDone(), WhyFillDone)
	}
	if l.sliceOver(w) {
		return l.toLive()
	}
	if step := l.askedAgain(); step != nil {
		return step
	}
	found := l.readIn
	switch {
	case found == nil:
		return ReadEvents{Fill: true, From: at, To: to}
	case l.open != nil: // the lane may wait long
		return l.settle()
	}
	l.readIn = nil
	if found.end {
		// The live position is beyond what the tail has read in yet.
		return Wait{D: slice, Events: true}
	}
	return nil
}

// sliceOver reports whether a fill has had its turn while live events wait.
func (l *Lane) sliceOver(w World) bool {
	return l.now.Sub(l.phaseBegan) > slice && l.liveWaits(w)
}

// liveWaits reports whether events wait for the live interests.
func (l *Lane) liveWaits(w World) bool { return l.tip.State.Pos.Before(w.End) }

func (l *Lane) toLive() Step { return l.record(l.tip.State.In(record.Live), WhyPhase) }

// readyFill returns the first fill that can continue. The fill of a snapshot cannot
// continue while it has no rows.
func (l *Lane) readyFill() (i int, ok bool) {
	for i, f := range l.tip.State.Fills {
		if f.Snapshot == nil || l.rows.ready(f) {
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
