package outbox

import "log/slog"

// keyErr is the log's key of an error.
const keyErr = "err"

// episode is a row of failures: its first is logged, and its end.
type episode struct {
	log          *slog.Logger
	began, ended string
	failures     int
}

// failed notes a failure and returns how many there were in a row.
func (e *episode) failed(err error) int {
	e.failures++
	if e.failures == 1 {
		e.log.Warn(e.began, keyErr, err) //nolint:sloglint // began is a constant of the one who made the episode
	}
	return e.failures
}

func (e *episode) over() {
	if e.failures > 0 {
		e.log.Info(e.ended, "failures", e.failures) //nolint:sloglint // as in failed
	}
	e.failures = 0
}
