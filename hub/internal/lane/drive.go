package lane

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/budget"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// driver performs the steps of a lane's core, on Run's goroutine. The tail's
// goroutine may call Follow while the lane stands at the end of ingest.
type driver struct {
	*Lane

	working sync.Mutex // guards the rest; held while it runs and does not stand
	core    *core.Lane
	// current is the change that the core decides on next, or works on.
	current    *change
	liveSource source
	fillSource source
	// found is the block read last and not yet copied, foundBy its source.
	found   ingest.Block
	foundBy *source
	// gap is where a reader found events of ingest lost; nil once the cursors are checked.
	gap *ingest.Gap
	// gaps are the places of the lane whose events were copied again.
	gaps []record.Gap
	// connection counts how often the connection had been lost when the lane's loop last
	// looked.
	connection uint64
	fetches    fetches
	holding    holding
	// erasures is Ingest.Erasures at the last check of the cursors.
	erasures uint64
	// open is the append that is open, nil when there is none; held is how much of
	// env.appends the lane holds, leave its share of the memory for appends.
	open *OpenAppend
	// traced are the copies with a trace that are not known to be stored.
	traced traced
	held   int64
	leave  *budget.Share
	// heavyUntil is the time until which the lane does not follow, after an event
	// that took long to expand.
	heavyUntil time.Time
}

// run fills the lane until ctx ends. It returns ErrNoLane when the lane no longer
// exists, else nil.
func (d *driver) run(ctx context.Context) error {
	d.working.Lock()
	defer d.working.Unlock()
	defer d.env.Tail.Follow(d)()
	defer d.abandonCurrent()
	defer d.fetches.wait()
	defer d.closeSources()
	defer d.publish()
	defer d.drop()
	defer d.leaveSettled(ctx)
	for ctx.Err() == nil {
		if err := d.step(ctx); errors.Is(err, ErrNoLane) {
			return ErrNoLane
		}
	}
	return nil
}

// step performs the core's next step and reports the outcome to it. It returns
// ErrNoLane when the lane no longer exists.
func (d *driver) step(ctx context.Context) error {
	d.observe()
	step := d.core.Next(d.world())
	if !d.core.Copying() {
		d.endLeave()
	}
	d.publish()
	err := d.do(ctx, step)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNoLane) {
		d.failed(err)
	}
	return err
}

// observe reports to the core what happened beside its steps.
func (d *driver) observe() {
	if now := d.env.JS.Conn().Stats().Reconnects; now != d.connection {
		d.connection = now
		d.drop()
		d.closeReaders()
		d.core.Reconnected()
	}
	if d.stale.Swap(false) {
		d.core.Recheck()
	}
	for _, n := range d.fetches.news() {
		if n.chunk != nil {
			d.core.RowsCame(n.number, n.chunk.rows, n.chunk.origin)
			d.core.RowsCounted(n.number, n.chunk.all)
		} else {
			d.core.RowsLate(n.number, n.trouble)
		}
	}
	if d.open == nil {
		return
	}
	d.core.Progressed(d.open.Stored())
	d.traced.stored(d.open.Stored())
	if err := d.open.Err(); err != nil {
		d.drop()
		d.core.AppendEnded(failure(err))
	}
}

// world returns the facts that the core cannot know by itself.
func (d *driver) world() core.World {
	return core.World{
		Now: time.Now(), Clock: d.env.Ingest.Now(),
		Owned: d.owned.Load(), Parked: d.Parked() != "", Held: d.holds(),
		Change: d.wanted(),
		End:    d.env.Tail.End().Position, MaxPayload: int(d.env.JS.Conn().MaxPayload()),
	}
}

// do performs a step. An error says that the step failed.
func (d *driver) do(ctx context.Context, step core.Step) error {
	switch step := step.(type) {
	case core.ReadTip:
		return d.readTip(ctx)
	case core.ConfirmTip:
		return d.confirmTip(ctx)
	case core.Recall:
		return d.recall(ctx)
	case core.CheckCursors:
		return d.checkCursors(ctx, step)
	case core.ReadEvents:
		return d.readEvents(ctx, step)
	case core.Admit:
		return d.admit(ctx, step)
	case core.Append:
		return d.append(ctx, step)
	case core.Settle:
		return d.settle(ctx, step)
	case core.Record:
		return d.record(ctx, step)
	case core.Measure:
		return d.measure(ctx)
	case core.FindHistory:
		return d.findHistory(ctx)
	case core.Purge:
		return d.purgeHistory(ctx, step)
	case core.Prove:
		return d.prove(ctx)
	default:
		d.doSurely(ctx, step)
	}
	return nil
}

// doSurely performs a step that cannot fail, or whose failure is an answer.
func (d *driver) doSurely(ctx context.Context, step core.Step) {
	switch step := step.(type) {
	case core.StoreLetter:
		d.storeLetter(ctx, step)
	case core.Edit:
		d.edit(step)
	case core.Diagnose:
		d.diagnose(ctx, step)
	case core.Wait:
		d.wait(ctx, step)
	case core.FetchRows:
		d.fetch(ctx, step)
	case core.DropRows:
		d.fetches.drop(step.Number)
	case core.Answer:
		d.answer(step)
	case core.RefuseChanges:
		d.refuseChanges(step.Err)
	}
}

// failed reports a failed step to the core. The messages sent are then in doubt, so
// the open append is dropped.
func (d *driver) failed(err error) {
	d.drop()
	d.closeReaders()
	d.core.Failed(failure(err))
}

// failure translates a step's error for the core.
func failure(err error) core.Failure {
	return core.Failure{
		Err:       err,
		Refused:   errors.Is(err, ErrFenced),
		NotStored: hubstream.Leaderless(err) || errors.Is(err, errDisconnected),
		Late:      errors.Is(err, context.DeadlineExceeded),
		NewEpoch:  errors.Is(err, errNewEpoch),
	}
}

// diagnose finds out why a step failed.
func (d *driver) diagnose(ctx context.Context, asked core.Diagnose) {
	d.drop()
	d.closeReaders()
	d.core.Diagnosed(d.cause(ctx, asked))
}

// publish makes the core's status, counts and notes available to other goroutines.
func (d *driver) publish() {
	if s := d.core.NewStatus(); s != nil {
		d.status.Store(s)
	}
	d.counts.set(d.core.Counts())
	for _, n := range d.core.Notes() {
		d.tell(n)
	}
}
