package lane

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/core"
)

// recheckHeld is the time after which a lane that is held is read again: another hub may
// have put its policies in force.
const recheckHeld = time.Second

// ErrHeld refuses a redrive into a lane that is held.
var ErrHeld = core.ErrHeld

// holding is what the driver knows of the policies that its lane lacks.
type holding struct {
	// ledger and state are what reason was made of.
	ledger *retention.Ledger
	state  uint64
	reason string
	// read is when the lane was last read while it was held.
	read time.Time
}

// Held returns why nothing is copied into the lane until its policies are in force;
// empty when it is not held.
func (l *Lane) Held() string {
	if reason := l.heldFor.Load(); reason != nil {
		return *reason
	}
	return ""
}

// holds reports whether the lane's state has an older policy than was in force. The
// ledger was read when the lane was (checkCursors). It wakes who puts policies in force.
func (d *driver) holds() bool {
	reason, had := d.behind(), d.Held()
	if reason == "" && had == "" {
		return false
	}
	d.heldFor.Store(&reason)
	if reason == "" {
		d.log.Info("lane continues: its policies are in force")
		return false
	}
	if had == "" {
		d.log.Error("lane held", "reason", reason)
		d.holding.read = time.Time{}
	}
	if now := time.Now(); now.Sub(d.holding.read) > recheckHeld {
		d.holding.read = now
		d.core.Recheck()
		d.env.OnHeld()
	}
	return true
}

// behind says which policy the lane's state lacks; empty for none.
func (d *driver) behind() string {
	ledger, state := d.env.Ingest.Known(), d.core.Tip().StateSeq
	if h := &d.holding; ledger != h.ledger || state != h.state {
		h.ledger, h.state, h.reason = ledger, state, lacks(ledger, d.core.Tip().State)
	}
	return d.holding.reason
}

// lacks says which policy of a ledger a state lacks; empty for none.
func lacks(ledger *retention.Ledger, s State) string {
	in, rev := s.Behind(ledger)
	if in == nil {
		return ""
	}
	have := uint64(0)
	if in.Policy != nil {
		have = in.Policy.Rev
	}
	return fmt.Sprintf("the policy of %s was in force with revision %d, and the lane has that of revision %d: its server began with an older copy of the lane; "+
		"nothing is copied until the policy is in force again, for which the hub needs the registry's record of it", in.Entity, rev, have)
}
