package ingest

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// Mark is a place in ingest: the last event dealt with, and when ingest stored
// it. The time proves, when a reader comes back, that the event at the sequence
// is still the same one.
type Mark struct {
	event.Position
	// Time is zero where no event is known at the position; it then proves
	// nothing and is not checked.
	Time time.Time `json:"time,omitzero"`
}

// MarkOf is the mark of an event.
func MarkOf(e *event.Event) Mark { return Mark{Position: e.Pos, Time: e.Time} }

// String is "1-42@2006-01-02T15:04:05.999999999Z".
func (m Mark) String() string {
	return fmt.Sprintf("%s@%s", m.Position, m.Time.Format(time.RFC3339Nano))
}
