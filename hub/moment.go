package hub

import (
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// moment is a place in ingest as a request names it: an event's sequence, a
// time, or how long ago.
type moment struct {
	seq uint64 // 0: not by sequence
	at  time.Time
	ago time.Duration
}

// moments is what a moment may be, for refusals.
const moments = "an RFC 3339 time, how long ago such as \"5m\", or a sequence from 1 on"

func parseMoment(text string) (m moment, ok bool) {
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
		return moment{seq: seq}, seq > 0
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return moment{ago: ago}, ago > 0
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return moment{at: at}, err == nil && !at.IsZero()
}

// time is the moment's time where now is the server's; zero for a sequence. A
// time to come is refused: it would stand for "now" without saying so.
func (m moment) time(now time.Time, field string) (time.Time, error) {
	switch {
	case m.ago > 0:
		return now.Add(-m.ago), nil
	case m.at.After(now.Add(futureTolerance)):
		return time.Time{}, contract.FieldErrorf(contract.CodeInvalidValue, field, "%s is in the future: the server's clock says %s",
			m.at.Format(time.RFC3339Nano), now.Format(time.RFC3339))
	}
	return m.at, nil
}

// beyond refuses a sequence that ingest has not come to.
func (m moment) beyond(last uint64, field string) error {
	if m.seq <= last+1 {
		return nil
	}
	return contract.FieldErrorf(contract.CodeInvalidValue, field, "sequence %d is beyond the end of ingest, %d", m.seq, last)
}
