package lane

import (
	"context"
	"fmt"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/history"
)

// notAcknowledged is the usual reason of a full lane.
const notAcknowledged = "are not acknowledged; have workers catch up, raise max_bytes, or unregister"

// measure asks the server how much the stream holds.
func (d *driver) measure(ctx context.Context) error {
	stream, err := d.env.JS.Stream(ctx, d.stream)
	if err != nil {
		return fmt.Errorf("look up lane %s: %w", d.service, err)
	}
	d.core.Measured(int64(stream.CachedInfo().State.Bytes))
	return nil
}

// findHistory finds every acknowledged copy, however young.
func (d *driver) findHistory(ctx context.Context) error {
	found, err := d.look(ctx, d.env.Ingest.Now())
	if err != nil {
		return err
	}
	d.core.HistoryFound(found.First, found.Keep)
	return nil
}

// purgeHistory purges the history that was found.
func (d *driver) purgeHistory(ctx context.Context, p core.Purge) error {
	if _, err := d.purge(ctx, d.knowing(), p.Below, d.env.Ingest.Now()); err != nil {
		return err
	}
	d.core.Purged()
	return nil
}

// prove examines the copies that a full lane keeps because a dead letter might be
// missing.
func (d *driver) prove(ctx context.Context) error {
	if d.env.Prove == nil {
		d.core.Proved(false, d.notAcknowledged())
		return nil
	}
	why, err := d.env.Prove(ctx, d.service, d.standings.last())
	switch {
	case err != nil:
		return err
	case why != "":
		d.core.Proved(false, "are kept: "+why)
	default:
		d.core.Proved(true, d.notAcknowledged())
	}
	return nil
}

// notAcknowledged describes why copies of a full lane are kept for its workers.
func (l *Lane) notAcknowledged() string {
	if name := l.standings.behind(); name != "" {
		return fmt.Sprintf("stay until the server has confirmed that they are acknowledged: consumer %s has nothing to do, but its ack floor is behind; the lane continues when the ack floor has not moved for %v", name, history.StandsAfter)
	}
	return notAcknowledged
}
