package apply

import (
	"time"

	"github.com/replhub/replhub"
)

// caughtUp decides when everything that ingest held at a run's begin has had its effect.
// It is fed with looks at the lane. Pure.
type caughtUp struct {
	// epoch is ingest's present one, as the registration said.
	epoch uint64
	// end is where ingest ended at the begin; zero until a look has told.
	end replhub.Position
	// copied is when all of it was in the lane; zero until then.
	copied time.Time
	// quiet counts the looks in a row that found all of it done.
	quiet int
}

// Clocks of hub and this process are not compared, but a look takes its time; and a copy
// that was stored a moment ago may not be counted yet.
const (
	lookMargin = time.Second
	quietLooks = 2
)

// look takes what the hub said of the lane; asked is when it was asked. It reports
// whether all is done.
func (c *caughtUp) look(s *replhub.Status, asked time.Time) bool {
	if c.end == (replhub.Position{}) && s.Position.Epoch >= c.epoch {
		c.end = replhub.Position{Epoch: s.Position.Epoch, Seq: s.Position.Seq + s.Lag}
	}
	there := c.end != (replhub.Position{}) && s.Position.Compare(c.end) >= 0
	if s.Position.Epoch != c.end.Epoch {
		there = there && s.Lag == 0 // sequences of another epoch tell nothing
	}
	all := there && len(s.Fills) == 0 &&
		s.State != replhub.StateFilling && s.State != replhub.StateDetached
	switch {
	case !all:
		c.copied, c.quiet = time.Time{}, 0
		return false
	case c.copied.IsZero():
		c.copied = asked
	}
	// The oldest copy that is not acknowledged was stored after all that counts here.
	if s.Backlog > 0 && !asked.Add(-s.OldestUnacked).After(c.copied.Add(lookMargin)) {
		c.quiet = 0
		return false
	}
	c.quiet++
	return c.quiet >= quietLooks
}
