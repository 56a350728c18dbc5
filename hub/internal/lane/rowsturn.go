package lane

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest"
)

const (
	// rowsPatience is how long live events wait for an owner.
	rowsPatience = 50 * time.Millisecond
)

// fetchRows sees to it that the next rows are on their way: of the first
// snapshot whose owner answers, and of those whose owner did not.
func (l *Lane) fetchRows(ctx context.Context) error {
	for i := range l.tip.State.Fills {
		fill := l.tip.State.Fills[i]
		if fill.Snapshot == nil {
			continue
		}
		f := l.rows.fetches[fill.IDs[0]]
		if f == nil {
			// A full lane asks for nothing.
			if _, err := l.room(ctx); err != nil {
				return err
			}
			l.fetch(ctx, fill.IDs[0], *fill.Snapshot)
			return nil
		}
		if f.waits() == "" {
			return nil
		}
	}
	return nil
}

// fetch begins to fetch what follows a place in an interest's snapshot.
func (l *Lane) fetch(ctx context.Context, id string, from Snapshot) {
	for _, in := range l.tip.State.Interests {
		if in.ID != id {
			continue
		}
		owner := owner{nc: l.env.JS.Conn(), ingest: l.env.Ingest, service: l.service, interest: in}
		l.rows.start(ctx, id, from, l.env.memory.chunks, l.env.memory.chunk,
			func(ctx context.Context) (*chunk, error) { return owner.ask(ctx, from) }, l.nudge)
		return
	}
}

// snapshotTurn copies the next rows of the snapshot under way. While there are
// none, live events have their turn.
func (l *Lane) snapshotTurn(ctx context.Context) error {
	if time.Since(l.sliceBegan) > slice && l.liveWaits() {
		l.env.Failpoint("fill switch")
		return l.record(ctx, l.tip.State.In(Live))
	}
	s := l.tip.State
	rows, fetched := l.rows.take(s.Fills[0])
	if rows == nil {
		return l.awaitRows(ctx, fetched)
	}
	defer fetched.giveUp()
	if len(rows.rows) == 0 {
		l.env.Failpoint("fill done")
		if err := l.record(ctx, s.RowsDone(l.env.Ingest.Now())); err != nil {
			return err
		}
		done := s.Fills[0].Snapshot
		l.log.Info("snapshot complete", "interest", s.Fills[0].IDs[0], "backfill", done.ID, "rows", done.Row, "took", l.env.Ingest.Now().Sub(done.Began).Round(time.Millisecond).String())
		return nil
	}
	// The owner is at work on the next rows while these are copied.
	last := rows.rows[len(rows.rows)-1]
	l.fetch(ctx, s.Fills[0].IDs[0], s.Fills[0].Snapshot.Moved(last.Row, last.Key, rows.origin))
	l.env.Failpoint("fill")
	if err := l.copyBlock(ctx, nil, ingest.Block{Events: rows.rows}, l.fill); err != nil {
		return err
	}
	return l.recordNowAndThen(ctx)
}

// awaitRows waits for the rows of the fill under way, unless something else can
// go on.
func (l *Lane) awaitRows(ctx context.Context, f *fetch) error {
	if i, ok := l.nextFill(); ok {
		return l.record(ctx, l.tip.State.InFill(i))
	}
	late := l.sliceBegan
	if l.rows.taken.After(late) {
		late = l.rows.taken
	}
	stuck := f != nil && f.waits() != ""
	if stuck || (time.Since(late) > rowsPatience && l.liveWaits()) {
		return l.record(ctx, l.tip.State.In(Live))
	}
	l.report()
	if err := l.settle(ctx); err != nil { // it may wait long
		return err
	}
	return l.wait(ctx, nil, rowsPatience)
}

// differentOwner is the error of rows of two services.
func differentOwner(entity, before, now string) error {
	return fmt.Errorf("%s serves %s now, and the rows so far are of %s: one service must own it", orNobody(now), entity, orNobody(before))
}

func orNobody(origin string) string {
	if origin == "" {
		return "a service without a name"
	}
	return origin
}
