package capture

import (
	"time"

	"github.com/replhub/replhub/capture/internal/engine"
)

// Status is how a capture fares, and what it did since it began.
type Status struct {
	// State is starting, standby, capturing, waiting or stopped.
	State string
	// Problem is the class of what is wrong; empty when nothing is.
	Problem string
	// Since is the time of the last change of State or Problem.
	Since time.Time
	// NATSAway says that NATS is the problem.
	NATSAway bool
	// Unconfirmed is how much of the server's log is behind the confirmed place of the
	// slot, in bytes.
	Unconfirmed uint64
	// Counters of the process.
	Events, Bytes, Transactions, Lookups, Superseded, Skipped, Truncates, Refused, LeftOut, Sessions uint64
}

// Status returns how the capture fares.
func (c *Capture) Status() Status {
	now, n := c.engine.Status(), c.engine.Counts()
	s := Status{
		State: string(now.State), Problem: string(now.Problem), Since: now.Since, NATSAway: now.Problem == engine.NATSAway,
		Events: n.Events.Load(), Bytes: n.Bytes.Load(), Transactions: n.Transactions.Load(), Lookups: n.Lookups.Load(),
		Superseded: n.Superseded.Load(), Skipped: n.Skipped.Load(), Truncates: n.Truncates.Load(), Refused: n.Refused.Load(), LeftOut: n.LeftOut.Load(), Sessions: n.Sessions.Load(),
	}
	if now.End > now.Confirmed && now.Confirmed > 0 {
		s.Unconfirmed = uint64(now.End - now.Confirmed)
	}
	return s
}
