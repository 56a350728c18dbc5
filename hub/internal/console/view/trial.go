package view

import (
	"strconv"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
)

// Trial is what a filter and fields did to events.
type Trial struct {
	Passed, Cut, Failed int
	Lines               []TrialLine
	// Hidden says that no page shows a payload: also not in the words of an error.
	Hidden bool
}

// TrialLine is what they did to one event.
type TrialLine struct {
	Seq                    string
	Op, Key, Time, Outcome string
	Level                  Level
	// Why is why the event does not come, Size the copy's and the event's.
	Why, Size string
	// Payload is the copy's, where it was asked for.
	Payload string
	Shown   bool
}

// Add adds an event and what was decided of it.
func (t *Trial) Add(e *event.Event, d match.Decision, shown bool) {
	line := TrialLine{Seq: Plain(e.Pos.Seq), Op: e.Subject.Op().String(), Key: e.Key, Time: Time(e.Time.Truncate(time.Second))}
	switch d.Kind {
	case match.Copy:
		t.Passed++
		line.Outcome, line.Level = "passes", Good
		line.Size = Bytes(uint64(len(d.Data))) + " of " + Bytes(uint64(len(e.Data)))
		if shown {
			line.Payload, line.Shown = Payload(d.Data), true
		}
	case match.Dead:
		t.Failed++
		line.Outcome, line.Level, line.Why = "dead letter", Bad, d.Why
		if !t.Hidden {
			line.Why += ": " + d.Err.Error()
		}
	case match.Skip:
		t.Cut++
		line.Outcome, line.Level, line.Why = "left out", Warn, d.Why
	}
	t.Lines = append(t.Lines, line)
}

// Plain is a number without spaces, for addresses.
func Plain(n uint64) string { return strconv.FormatUint(n, 10) }
