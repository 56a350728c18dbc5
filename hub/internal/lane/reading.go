package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
)

// readTip reads where the lane stands from its stream. Rows on their way stay: the
// core gives up those that do not come next, and an owner has few hands for those who
// ask again.
func (l *Lane) readTip(ctx context.Context) error {
	l.closeReaders()
	tip, err := ReadTip(ctx, l.env.JS, l.service)
	switch {
	case errors.Is(err, ErrStateLost):
		l.core.StateLost(tip.Last)
	case err != nil:
		return err
	default:
		l.core.TipRead(tip)
	}
	return nil
}

// recall gets what is known of a lane whose state record is gone.
func (l *Lane) recall(ctx context.Context) error {
	state := First(ingest.Mark{}, DefaultQueue(), 0)
	if l.env.Recorded != nil {
		var err error
		if state, err = l.env.Recorded(ctx, l.service); err != nil {
			return err
		}
	}
	l.core.Recalled(state)
	return nil
}

// checkCursors checks the cursors of a state against ingest.
func (l *Lane) checkCursors(ctx context.Context, c core.CheckCursors) error {
	// The generation first: a tail that begins again after this is noticed.
	generation := l.env.Tail.Join()
	state, err := resume(ctx, l.env.Ingest, c.State)
	if errors.Is(err, ingest.ErrTrimmed) {
		l.core.CursorsGone("events it still needed are gone from ingest: " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	l.compiled.keep(state)
	if len(state.Fills) == 0 {
		l.fillSource.close()
	}
	l.liveSource.join(generation)
	l.fillSource.join(generation)
	l.core.CursorsChecked(state)
	return nil
}

// resume has the cursors of a state go on in ingest as it is now.
func resume(ctx context.Context, g *ingest.Ingest, s State) (State, error) {
	if s.Detached != nil || len(s.Interests) == 0 {
		return s, nil
	}
	s = s.Clone()
	pos, err := g.Resume(ctx, s.Pos)
	if err != nil {
		return State{}, err
	}
	s.Pos = pos
	for i := range s.Fills {
		if s.Fills[i].Snapshot != nil {
			continue
		}
		if s.Fills[i].At, err = g.Resume(ctx, s.Fills[i].At); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// readEvents reads what follows a cursor, from the tail or from ingest itself.
func (l *Lane) readEvents(ctx context.Context, r core.ReadEvents) error {
	src := &l.liveSource
	if r.Fill {
		src = &l.fillSource
	}
	block, end, err := src.next(ctx, r.From)
	if err != nil {
		return err
	}
	if r.Fill && len(block.Events) > 0 {
		l.env.Failpoint("fill")
	}
	l.found, l.foundBy = block, src
	l.core.EventsRead(block, end)
	return nil
}

// admit takes a share of what all lanes may have on their way, and of the memory
// for that. A lane that has to wait holds no events meanwhile: its source gives them
// again.
func (l *Lane) admit(ctx context.Context, a core.Admit) error {
	events := int64(a.Events)
	defer func() { l.found = ingest.Block{} }()
	if !a.Patient {
		ok := l.tryAdmit(events, a.Bytes)
		if !ok && a.Again {
			l.foundBy.putBack(l.found)
		}
		l.core.Admitted(ok)
		return nil
	}
	if err := l.env.appends.Acquire(ctx, events); err != nil {
		return err
	}
	l.held += events
	share, err := l.env.memory.appends.Wait(ctx, a.Bytes)
	if err != nil {
		return err
	}
	l.leave = share
	l.core.Admitted(true)
	return nil
}

func (l *Lane) tryAdmit(events, bytes int64) bool {
	if !l.env.appends.TryAcquire(events) {
		return false
	}
	if l.leave = l.env.memory.appends.Try(bytes); l.leave == nil {
		l.env.appends.Release(events)
		return false
	}
	l.held += events
	return true
}

// endLeave gives back what was admitted and is not on its way any more.
func (l *Lane) endLeave() {
	l.leave.End()
	l.leave = nil
	l.release()
}

// release gives back what is no longer on its way, and counts what is stored.
func (l *Lane) release() {
	var keep int64
	if l.batch != nil {
		l.core.Progressed(l.batch.Stored())
		keep = int64(l.batch.Unstored())
	}
	if keep < l.held {
		l.env.appends.Release(l.held - keep)
		l.held = keep
	}
}

func (l *Lane) closeSources() {
	l.closeReaders()
	l.fetches.dropAll()
}

func (l *Lane) closeReaders() {
	l.liveSource.close()
	l.fillSource.close()
	l.found = ingest.Block{}
}

// cause finds out why a step failed.
func (l *Lane) cause(ctx context.Context, d core.Diagnose) error {
	if d.Refused == 0 {
		return hubstream.Diagnose(ctx, l.env.JS, l.stream, d.Err)
	}
	if disk := hubstream.WriteError(ctx, l.env.JS, l.stream); disk != nil {
		return disk
	}
	return fmt.Errorf("%d appends in a row refused at sequence %d, though nobody appends: %w", d.Refused, d.Last, d.Err)
}
