package lane

import (
	"context"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// fillTurn copies the next block of the fill under way. A fill ends where the
// live position stands; until it is there, live copying has a turn after every
// slice, so that live events wait about that long.
func (l *Lane) fillTurn(ctx context.Context) error {
	s := l.tip.State
	if s.ActiveSnapshot() != nil {
		return l.snapshotTurn(ctx)
	}
	at, to := s.Fills[0].At, s.Pos
	if !at.Before(to.Position) {
		l.env.Failpoint("fill done")
		return l.record(ctx, s.FillDone())
	}
	if time.Since(l.sliceBegan) > slice && l.liveWaits() {
		l.env.Failpoint("fill switch")
		return l.record(ctx, s.In(Live))
	}
	block, end, err := l.fillSource.next(ctx, at)
	if err != nil {
		return err
	}
	block.Events = upTo(block.Events, to.Position)
	if len(block.Events) > 0 {
		l.env.Failpoint("fill")
		if err := l.copyBlock(ctx, &l.fillSource, block, l.fill); err != nil {
			return err
		}
		return l.recordNowAndThen(ctx)
	}
	if err := l.settle(ctx); err != nil { // it may wait long
		return err
	}
	if end {
		// The live position is beyond what the tail has read in yet.
		return l.wait(ctx, l.more, slice)
	}
	return nil
}

// nextFill is the first fill that can go on: one of a snapshot cannot while it
// has no rows.
func (l *Lane) nextFill() (i int, ok bool) {
	for i, f := range l.tip.State.Fills {
		if f.Snapshot == nil || l.rows.ready(f) {
			return i, true
		}
	}
	return 0, false
}

// liveWaits reports whether events wait for the live interests.
func (l *Lane) liveWaits() bool {
	return l.tip.State.Pos.Before(l.env.Tail.End().Position)
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
