package lane

import (
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/core"
)

// Status is the last report of a lane's loop; immutable.
type Status = core.Status

// Counts are a lane's totals since this hub started.
type Counts = core.Counts

// Status returns the latest status. It is cheap and may be called concurrently.
func (l *Lane) Status() *Status { return l.status.Load() }

// Counts returns the totals.
func (l *Lane) Counts() Counts { return l.counts.get() }

// counts are totals that any goroutine may read.
type counts struct {
	mu  sync.Mutex // guards all
	all Counts
}

func (c *counts) set(all Counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = all
}

func (c *counts) get() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// tell logs the core's notes.
func (d *driver) tell(n core.Note) {
	took := func(long time.Duration) string { return long.Round(time.Millisecond).String() }
	switch n.Kind {
	case core.StallBegan:
		d.log.Warn("lane stalled", "err", n.Reason)
	case core.StallChanged:
		d.log.Warn("lane still stalled", "err", n.Reason, "since", n.Since.UTC().Format(time.RFC3339))
	case core.StallOver:
		d.log.Info("lane continues", "stalled_for", took(n.Lasted), "failures", n.Count)
	case core.StallMoot:
		d.log.Info("lane has nothing to copy any more", "stalled_for", took(n.Lasted))
	case core.ForeignMessages:
		d.log.Error("foreign messages in the lane: another client publishes into it", "count", n.Count)
	case core.StateGone:
		d.log.Error("the lane's state record is gone: the stream was purged by hand", "known_here", n.Mine)
	case core.LaneWentBack:
		d.log.Error("the lane lost its last messages: its server began with an older copy of the stream; their events are copied again", "messages", n.Count)
	case core.LaneDetached:
		d.log.Error("lane detached: register interests that state a start", "reason", n.Reason)
	case core.SnapshotComplete:
		done := n.Fill.Snapshot
		d.log.Info("snapshot complete", "interest", n.Fill.IDs[0], "backfill", done.ID, "rows", done.Row, "took", took(n.Lasted))
	}
}
