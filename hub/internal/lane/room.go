package lane

import (
	"context"
	"fmt"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/history"
)

// notAcknowledged is why most full lanes are full.
const notAcknowledged = "are not acknowledged; have workers catch up, raise max_bytes, or unregister"

// measure asks the server how much the stream holds.
func (l *Lane) measure(ctx context.Context) error {
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if err != nil {
		return fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	l.core.Measured(int64(stream.CachedInfo().State.Bytes))
	return nil
}

// findHistory finds every acknowledged copy, however young.
func (l *Lane) findHistory(ctx context.Context) error {
	found, err := l.look(ctx, l.env.Ingest.Now())
	if err != nil {
		return err
	}
	l.core.HistoryFound(found.First, found.Keep)
	return nil
}

// purgeHistory purges what was found.
func (l *Lane) purgeHistory(ctx context.Context, p core.Purge) error {
	if _, err := l.purge(ctx, p.Below, l.env.Ingest.Now()); err != nil {
		return err
	}
	l.core.Purged()
	return nil
}

// prove looks into what a full lane keeps because a dead letter might be missing.
func (l *Lane) prove(ctx context.Context) error {
	if l.env.Prove == nil {
		l.core.Proved(false, l.notAcknowledged())
		return nil
	}
	why, err := l.env.Prove(ctx, l.service, l.standings.last())
	switch {
	case err != nil:
		return err
	case why != "":
		l.core.Proved(false, "are kept: "+why)
	default:
		l.core.Proved(true, l.notAcknowledged())
	}
	return nil
}

// notAcknowledged says in words why copies of a full lane are kept for its workers.
func (l *Lane) notAcknowledged() string {
	if name := l.standings.behind(); name != "" {
		return fmt.Sprintf("stay until the server has confirmed that they are acknowledged: consumer %s has nothing to do, but its ack floor is behind; the lane goes on once that has stood still for %v", name, history.StandsAfter)
	}
	return notAcknowledged
}
