package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// readTip reads the lane's position from its stream. Fetches of rows go on: the core
// drops those that do not come next, and an owner has little capacity for repeated
// requests.
func (d *driver) readTip(ctx context.Context) error {
	d.closeReaders()
	tip, err := ReadTip(ctx, d.env.JS, d.service)
	switch {
	case errors.Is(err, ErrStateLost):
		d.core.StateLost(tip.Last)
	case err != nil:
		return err
	default:
		d.core.TipRead(d.withGap(ctx, tip))
	}
	return nil
}

// confirmTip reads the lane's position again, and keeps what was read of ingest.
func (d *driver) confirmTip(ctx context.Context) error {
	tip, err := ReadTip(ctx, d.env.JS, d.service)
	switch {
	case errors.Is(err, ErrStateLost):
		d.core.StateLost(tip.Last)
	case err != nil:
		return err
	default:
		d.core.TipConfirmed(d.withGap(ctx, tip))
	}
	return nil
}

// withGap remembers copies at the end of the lane that cannot be read: the lane goes on in
// front of them, and so copies their events again. The owner writes that down.
func (d *driver) withGap(ctx context.Context, tip Tip) Tip {
	if gap := tip.Unread; gap != (record.Gap{}) && !tip.State.Explains(gap.First) && !slices.Contains(d.gaps, gap) {
		d.gaps = append(d.gaps, gap)
		if d.owned.Load() {
			d.requeue(&change{ctx: ctx, done: make(chan changed, 1), edit: func(_ context.Context, tip Tip) (State, bool, error) {
				return tip.State, !tip.State.Dropped, nil
			}})
		}
	}
	for _, gap := range d.gaps {
		tip.State = tip.State.WithGap(gap, 0)
	}
	return tip
}

// recall gets what is known from elsewhere of a lane whose state record is gone.
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
	// Read the generation first, so that a later restart of the tail is noticed.
	generation := d.env.Tail.Join()
	state, err := resume(ctx, d.env.Ingest, c.State)
	if err == nil {
		err = d.behindGap(state)
	}
	if errors.Is(err, ingest.ErrTrimmed) {
		d.core.CursorsGone("events that the lane still needed are gone from ingest: " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	// The ledger was read just now, by resume. Whatever is appended behind this tip was
	// read since.
	if now := d.env.Ingest.Erasures(); now != d.erasures {
		d.erasures = now
		d.closeReaders()
		d.core.EventsErased()
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

// behindGap returns an error if a cursor of the state stands before events that the server
// has lost, as a reader of the lane has found. The lane has copied what lies before them.
func (d *driver) behindGap(s State) error {
	gap := d.gap
	d.gap = nil
	if gap == nil || s.Detached != nil || len(s.Interests) == 0 {
		return nil
	}
	before := s.Pos.Before(gap.Next.Position)
	for _, f := range s.Fills {
		before = before || f.Snapshot == nil && f.At.Before(gap.Next.Position)
	}
	if !before {
		return nil
	}
	return gap.Err()
}

// judgeGap finds out why a reader was given an event that does not follow.
func (d *driver) judgeGap(ctx context.Context, met *ingest.GapError) error {
	gap, is, err := d.env.Ingest.FindGap(ctx, met.After)
	if err != nil || !is {
		return met
	}
	if err = gap.Err(); errors.Is(err, ingest.ErrTrimmed) {
		d.gap = &gap // the lane is detached once its cursors are checked
	}
	return err
}

// resume moves the cursors of a state to their places in the present ingest.
func resume(ctx context.Context, g *ingest.Ingest, s State) (State, error) {
	if s.Detached != nil || len(s.Interests) == 0 {
		return s, nil
	}
	cursors, err := g.ResumeAll(ctx, s.Cursors())
	if err != nil {
		return State{}, err
	}
	return s.WithCursors(cursors), nil
}

// readEvents reads the events that follow a cursor, from the tail or from ingest
// itself.
func (d *driver) readEvents(ctx context.Context, r core.ReadEvents) error {
	src := &d.liveSource
	if r.Fill {
		src = &d.fillSource
	}
	block, end, err := src.next(ctx, r.From, r.To)
	if err != nil {
		if met, ok := errors.AsType[*ingest.GapError](err); ok {
			return d.judgeGap(ctx, met)
		}
		return err
	}
	if r.Fill && len(block.Events) > 0 {
		d.env.Failpoint("fill")
	}
	d.found, d.foundBy = block, src
	d.core.EventsRead(block, end)
	return nil
}

// admit takes a share of the events that all lanes may have on their way, and of the
// memory for them. A lane that has to wait holds no events meanwhile; its source
// returns them again later.
func (d *driver) admit(ctx context.Context, a core.Admit) error {
	if !a.Again { // rows of a snapshot or backfill
		d.env.Failpoint("fill")
	}
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

// endLeave gives back the admitted share that is no longer on its way.
func (d *driver) endLeave() {
	d.leave.End()
	d.leave = nil
	d.release()
}

// release gives back the share of events that are no longer on their way, and counts
// the stored ones.
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
	return fmt.Errorf("%d appends in a row refused at sequence %d, although no other writer appends: %w", asked.Refused, asked.Last, asked.Err)
}
