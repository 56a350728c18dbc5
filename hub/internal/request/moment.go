package request

import (
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// futureTolerance is how far a client's clock may be ahead of the server's before its
// "now" is refused as a future time.
const futureTolerance = time.Second

// Moment is a place in ingest as a request names it: by an event's sequence, a time,
// or an age. The zero Moment names no place.
type Moment struct {
	Seq uint64 // 0 for a moment that is not a sequence
	At  time.Time
	Ago time.Duration
}

// Moments describes the forms of a moment, for refusals.
const Moments = "an RFC 3339 time, how long ago such as \"5m\", or a sequence from 1 on"

// ParseMoment parses a moment; ok is false if text is not a moment.
func ParseMoment(text string) (m Moment, ok bool) {
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
		return Moment{Seq: seq}, seq > 0
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return Moment{Ago: ago}, ago > 0
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return Moment{At: at}, err == nil && !at.IsZero()
}

// Time is the moment's time where now is the server's; zero for a sequence. A future
// time is refused, because it would silently mean "now".
func (m Moment) Time(now time.Time, field string) (time.Time, error) {
	switch {
	case m.Ago > 0:
		return now.Add(-m.Ago), nil
	case m.At.After(now.Add(futureTolerance)):
		return time.Time{}, contract.FieldErrorf(contract.CodeInvalidValue, field, "%s is in the future: the server's clock says %s",
			m.At.Format(time.RFC3339Nano), now.Format(time.RFC3339))
	}
	return m.At, nil
}

// Beyond refuses a sequence that ingest has not reached.
func (m Moment) Beyond(last uint64, field string) error {
	if m.Seq <= last+1 {
		return nil
	}
	return contract.FieldErrorf(contract.CodeInvalidValue, field, "sequence %d is beyond the end of ingest, %d", m.Seq, last)
}
