package lane

import (
	"context"
	"errors"
	"time"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane/core"
)

// turn does one step of work: what the core says, and tells it what came of that. It
// returns ErrNoLane when there is no lane any more.
func (l *Lane) turn(ctx context.Context) error {
	l.observe()
	step := l.core.Next(l.world())
	if !l.core.Copying() {
		l.endLeave()
	}
	l.publish()
	err := l.do(ctx, step)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNoLane) {
		l.failed(err)
	}
	return err
}

// observe tells the core what happened beside its steps.
func (l *Lane) observe() {
	if l.stale.Swap(false) {
		l.core.Recheck()
	}
	for _, n := range l.fetches.news() {
		if n.chunk != nil {
			l.core.RowsCame(n.number, n.chunk.rows, n.chunk.origin)
		} else {
			l.core.RowsLate(n.number, n.trouble)
		}
	}
	if l.batch == nil {
		return
	}
	l.core.Progressed(l.batch.Stored())
	if err := l.batch.Err(); err != nil {
		l.drop()
		l.core.AppendEnded(failure(err))
	}
}

// world is what the core cannot know by itself.
func (l *Lane) world() core.World {
	return core.World{
		Now: time.Now(), Clock: l.env.Ingest.Now(),
		Owned: l.owned.Load(), Parked: l.Parked() != "",
		Change: l.wanted(),
		End:    l.env.Tail.End().Position, MaxPayload: int(l.env.JS.Conn().MaxPayload()),
	}
}

// do does a step. An error says that it did not succeed.
func (l *Lane) do(ctx context.Context, step core.Step) error {
	switch step := step.(type) {
	case core.ReadTip:
		return l.readTip(ctx)
	case core.Recall:
		return l.recall(ctx)
	case core.CheckCursors:
		return l.checkCursors(ctx, step)
	case core.ReadEvents:
		return l.readEvents(ctx, step)
	case core.Admit:
		return l.admit(ctx, step)
	case core.Append:
		return l.append(ctx, step)
	case core.Settle:
		return l.settle(ctx, step)
	case core.Record:
		return l.record(ctx, step)
	case core.Measure:
		return l.measure(ctx)
	case core.FindHistory:
		return l.findHistory(ctx)
	case core.Purge:
		return l.purgeHistory(ctx, step)
	case core.Prove:
		return l.prove(ctx)
	default:
		l.doSurely(ctx, step)
	}
	return nil
}

// doSurely does a step that cannot fail, or whose failure is an answer.
func (l *Lane) doSurely(ctx context.Context, step core.Step) {
	switch step := step.(type) {
	case core.StoreLetter:
		l.storeLetter(ctx, step)
	case core.Edit:
		l.edit(step)
	case core.Diagnose:
		l.diagnose(ctx, step)
	case core.Wait:
		l.wait(ctx, step)
	case core.FetchRows:
		l.fetch(ctx, step)
	case core.DropRows:
		l.fetches.drop(step.Number)
	case core.Answer:
		l.answer(step)
	case core.RefuseChanges:
		l.refuseChanges(step.Err)
	}
}

// failed tells the core of a step that did not succeed. What was sent is in doubt, so
// the open append is of no more use.
func (l *Lane) failed(err error) {
	l.drop()
	l.closeReaders()
	l.core.Failed(failure(err))
}

// failure is what an error says of the step that ended with it.
func failure(err error) core.Failure {
	return core.Failure{
		Err:       err,
		Refused:   errors.Is(err, ErrFenced),
		NotStored: hubstream.Leaderless(err),
		Late:      errors.Is(err, context.DeadlineExceeded),
		NewEpoch:  errors.Is(err, errNewEpoch),
	}
}

// diagnose finds out why a step failed.
func (l *Lane) diagnose(ctx context.Context, d core.Diagnose) {
	l.drop()
	l.closeReaders()
	l.core.Diagnosed(l.cause(ctx, d))
}

// publish says what the core knows to whoever asks: its status, its counts, and what
// people are to know.
func (l *Lane) publish() {
	if s := l.core.NewStatus(); s != nil {
		l.status.Store(s)
	}
	l.counts.set(l.core.Counts())
	for _, n := range l.core.Notes() {
		l.tell(n)
	}
}
