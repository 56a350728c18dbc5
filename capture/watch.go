package capture

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/capture/internal/source"
	"github.com/replhub/replhub/internal/pause"
)

// watch looks from time to time for tables that a pattern matches by then, and adds them
// to the publication; what stands in the way of that, or of what is captured already, is
// degraded. It ends with ctx.
func (c *Capture) watch(ctx context.Context) error {
	for pause.For(ctx, c.cfg.WatchEvery) == nil {
		if err := c.look(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Logger.Debug("look for tables; trying again", "err", err) // the engine tells of a database that is away
		}
	}
	return nil
}

func (c *Capture) look(ctx context.Context) error {
	conn, err := source.Connect(ctx, c.config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // what it did is committed
	catalog, err := source.Read(ctx, conn, c.wanted)
	if err != nil {
		return err
	}
	all := source.Check(c.wanted, catalog)
	var degraded []string
	for _, f := range all {
		if !f.Warning {
			degraded = append(degraded, f.About+": "+f.Message)
		}
	}
	for _, text := range degraded {
		if !slices.Contains(c.Degraded(), text) {
			c.cfg.Logger.Error("the database has changed", "finding", text)
		}
	}
	if rest, leftOut := all.LeaveOut(c.wanted, catalog); !rest.Failed() {
		if err := source.Setup(ctx, conn, c.wanted, catalog, leftOut, false, c.cfg.Logger); err != nil {
			degraded = append(degraded, err.Error())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.degraded = degraded
	return nil
}

// Degraded returns the faults of the capture, one sentence for each.
func (c *Capture) Degraded() []string {
	c.mu.Lock()
	degraded := slices.Clone(c.degraded)
	for _, table := range slices.Sorted(maps.Keys(c.unfit)) {
		degraded = append(degraded, fmt.Sprintf("a snapshot left rows of table %s out: %s; change the rows", table, c.unfit[table]))
	}
	c.mu.Unlock()
	if c.engine == nil {
		return degraded
	}
	status := c.engine.Status()
	if status.Err != nil {
		degraded = append(degraded, fmt.Sprintf("%s since %s: %v", status.State, status.Since.Format("15:04:05"), status.Err))
	}
	for _, table := range status.Truncated {
		degraded = append(degraded, fmt.Sprintf("table %s was truncated, and its rows are still in the replicas: %s", table, engine.TruncatedMend))
	}
	for _, l := range status.LeftOut {
		degraded = append(degraded, fmt.Sprintf("%s: %d changes cannot be events and were left out, the last one at %s: %s; %s", l.Table, l.Changes, l.At.Change, l.Why, engine.LeftOutMend))
	}
	for _, a := range status.Altered {
		degraded = append(degraded, engine.AlteredMend(a))
	}
	return degraded
}

// unfitRow notes a row that a snapshot leaves out.
func (c *Capture) unfitRow(table string, err error) {
	c.mu.Lock()
	_, known := c.unfit[table]
	if c.unfit == nil {
		c.unfit = map[string]string{}
	}
	c.unfit[table] = err.Error()
	c.mu.Unlock()
	if !known {
		c.cfg.Logger.Error("a snapshot leaves out a row that cannot be an event; further ones of the table are left out, too", "table", table, "reason", err, "mend", "change the row")
	}
}
