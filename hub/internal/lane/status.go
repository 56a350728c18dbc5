package lane

import (
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
)

// settleStall is for how long a lane must get on for a stall to be over: longer
// than a full lane waits between two attempts (fullBackoff), of which each may
// copy a little.
const settleStall = 2 * time.Second

// Status is what a lane's loop last said of itself; immutable.
type Status struct {
	// State is the state with its cursors as they stand now.
	State State
	// Stalled is why the lane does not get on; empty when it does. It stays until
	// the lane has got on for some seconds, or to the end of ingest.
	Stalled string
	// Cause is the error that Stalled tells in words; nil when the lane gets on.
	Cause error
	// Since is when the lane last got on well before that; zero when it does now.
	Since time.Time
	// Last is the stream's last sequence.
	Last uint64
	// Waiting is, by the ids of interests, why their snapshots wait.
	Waiting map[string]string
}

// Status returns the latest; cheap, for any goroutine.
func (l *Lane) Status() *Status { return l.status.Load() }

// report publishes a status.
func (l *Lane) report() {
	l.status.Store(&Status{
		State: l.tip.State, Stalled: l.stall.Reason(), Cause: l.stall.Cause(), Since: l.stall.Since(), Last: l.tip.Last, Waiting: l.rows.trouble(),
	})
}

// stalled notes an error of a turn, and logs it when that is news.
func (l *Lane) stalled(err error) {
	switch l.stall.FailWith(l.env.Ingest.Now(), err) {
	case episode.Began:
		l.log.Warn("lane stalled", "err", err)
	case episode.Changed:
		l.log.Warn("lane still stalled", "err", err, "since", l.stall.Since().UTC().Format(time.RFC3339))
	case episode.Nothing, episode.Over:
	}
}

// gotOn notes that the lane has dealt with events, or has none left. A turn that
// only happened to succeed, as reading the lane again does, is not that.
func (l *Lane) gotOn() {
	l.backoff = 0
	if !l.stall.Open() {
		return
	}
	if news, lasted, failures := l.stall.Succeed(l.env.Ingest.Now()); news == episode.Over {
		l.log.Info("lane goes on", "stalled_for", lasted.Round(time.Millisecond).String(), "failures", failures)
	}
}

// rests ends a stall of a lane that has nothing to copy any more.
func (l *Lane) rests() {
	if l.stall.Open() {
		l.log.Info("lane has nothing to copy any more", "stalled_for", l.env.Ingest.Now().Sub(l.stall.Since()).Round(time.Millisecond).String())
		l.stall = episode.Episode{Settle: settleStall}
	}
}
