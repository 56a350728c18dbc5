package capture

import (
	"time"

	"github.com/replhub/replhub/capture/internal/engine"
)

// Status is the state of a capture, and counts what the process did since its start.
type Status struct {
	// State is starting, standby, capturing, waiting or stopped.
	State string
	// Problem is the class of the present problem; empty without a problem.
	Problem string
	// Since is the time of the last change of State or Problem.
	Since time.Time
	// NATSAway says that NATS is the problem.
	NATSAway bool
	// Unconfirmed is the part of the database's log after the confirmed position of the
	// slot, in bytes.
	Unconfirmed uint64
	// Counters of the process.
	Events, Bytes, Transactions, Lookups, Superseded, Skipped, Truncates, Refused, LeftOut, Sessions uint64
}

// Status returns the state of the capture. It may be called at any time, from any
// goroutine.
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
