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
func (d *driver) readTip(ctx context.Context) error {
	d.closeReaders()
	tip, err := ReadTip(ctx, d.env.JS, d.service)
	switch {
	case errors.Is(err, ErrStateLost):
		d.core.StateLost(tip.Last)
	case err != nil:
		return err
	default:
		d.core.TipRead(tip)
	}
	return nil
}

// recall gets what is known of a lane whose state record is gone.
func (d *driver) recall(ctx context.Context) error {
	state := First(ingest.Mark{}, DefaultQueue(), 0)
	if d.env.Recorded != nil {
		var err error
		if state, err = d.env.Recorded(ctx, d.service); err != nil {
			return err
		}
	}
	d.core.Recalled(state)
	return nil
}

// checkCursors checks the cursors of a state against ingest.
func (d *driver) checkCursors(ctx context.Context, c core.CheckCursors) error {
	// The generation first: a tail that begins again after this is noticed.
	generation := d.env.Tail.Join()
	state, err := resume(ctx, d.env.Ingest, c.State)
	if errors.Is(err, ingest.ErrTrimmed) {
		d.core.CursorsGone("events it still needed are gone from ingest: " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	d.compiled.keep(state)
	if len(state.Fills) == 0 {
		d.fillSource.close()
	}
	d.liveSource.join(generation)
	d.fillSource.join(generation)
	d.core.CursorsChecked(state)
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
func (d *driver) readEvents(ctx context.Context, r core.ReadEvents) error {
	src := &d.liveSource
	if r.Fill {
		src = &d.fillSource
	}
	block, end, err := src.next(ctx, r.From, r.To)
	if err != nil {
		return err
	}
	if r.Fill && len(block.Events) > 0 {
		d.env.Failpoint("fill")
	}
	d.found, d.foundBy = block, src
	d.core.EventsRead(block, end)
	return nil
}

// admit takes a share of what all lanes may have on their way, and of the memory
// for that. A lane that has to wait holds no events meanwhile: its source gives them
// again.
func (d *driver) admit(ctx context.Context, a core.Admit) error {
	events := int64(a.Events)
	defer func() { d.found = ingest.Block{} }()
	if !a.Patient {
		ok := d.tryAdmit(events, a.Bytes)
		if !ok && a.Again {
			d.foundBy.putBack(d.found)
		}
		d.core.Admitted(ok)
		return nil
	}
	if err := d.env.appends.Acquire(ctx, events); err != nil {
		return err
	}
	d.held += events
	share, err := d.env.memory.appends.Wait(ctx, a.Bytes)
	if err != nil {
		return err
	}
	d.leave = share
	d.core.Admitted(true)
	return nil
}

func (d *driver) tryAdmit(events, bytes int64) bool {
	if !d.env.appends.TryAcquire(events) {
		return false
	}
	if d.leave = d.env.memory.appends.Try(bytes); d.leave == nil {
		d.env.appends.Release(events)
		return false
	}
	d.held += events
	return true
}

// endLeave gives back what was admitted and is not on its way any more.
func (d *driver) endLeave() {
	d.leave.End()
	d.leave = nil
	d.release()
}

// release gives back what is no longer on its way, and counts what is stored.
func (d *driver) release() {
	var keep int64
	if d.open != nil {
		d.core.Progressed(d.open.Stored())
		keep = int64(d.open.Unstored())
	}
	if keep < d.held {
		d.env.appends.Release(d.held - keep)
		d.held = keep
	}
}

func (d *driver) closeSources() {
	d.closeReaders()
	d.fetches.dropAll()
}

func (d *driver) closeReaders() {
	d.liveSource.close()
	d.fillSource.close()
	d.found = ingest.Block{}
}

// cause finds out why a step failed.
func (d *driver) cause(ctx context.Context, asked core.Diagnose) error {
	if asked.Refused == 0 {
		return hubstream.Diagnose(ctx, d.env.JS, d.stream, asked.Err)
	}
	if disk := hubstream.WriteError(ctx, d.env.JS, d.stream); disk != nil {
		return disk
	}
	return fmt.Errorf("%d appends in a row refused at sequence %d, though nobody appends: %w", asked.Refused, asked.Last, asked.Err)
}
