package rewind

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
)

// Target is where workers start again: at an ingest sequence, or at a time by ingest's
// clock.
type Target struct {
	Epoch, Seq uint64
	Time       time.Time
}

// reached reports whether a copy lies at the target or behind it.
func (t Target) reached(m ingest.Mark) bool {
	if t.Seq > 0 {
		return !m.Before(event.Position{Epoch: t.Epoch, Seq: t.Seq})
	}
	return !m.Time.Before(t.Time)
}

// before reports whether the target lies before a copy.
func (t Target) before(m ingest.Mark) bool {
	if t.Seq > 0 {
		return event.Position{Epoch: t.Epoch, Seq: t.Seq}.Before(m.Position)
	}
	return t.Time.Before(m.Time)
}

// TooOldError refuses a rewind to a place that the lane no longer holds.
type TooOldError struct {
	// Held is the position of the lane's first copy, At when ingest stored it.
	Held event.Position
	At   time.Time
}

// Error implements error.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("the lane holds copies only from event %s (%s) on", e.Held, e.At.Format(time.RFC3339Nano))
}

// ForwardsError refuses a rewind to a place that the workers have not reached: the
// copies before it would be skipped.
type ForwardsError struct {
	// Next is the position of a copy before that place that no worker has got yet.
	Next event.Position
}

// Error implements error.
func (e *ForwardsError) Error() string {
	return fmt.Sprintf("a rewind goes back, not forwards: the workers have not got event %s yet, which lies before it", e.Next)
}
