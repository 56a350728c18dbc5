package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/push"
)

// statusLine is a line of JSON about a command that runs until it is stopped.
type statusLine struct {
	// State is one of the constants below.
	State   string    `json:"state"`
	Service string    `json:"service"`
	Time    time.Time `json:"time"`
	// Done counts the changes applied, or the events delivered, by this process; Rate is
	// how many a second lately.
	Done uint64  `json:"done"`
	Rate float64 `json:"rate,omitempty"`
	// Left counts the events that the hub has yet to copy, and the copies that no
	// instance has acknowledged; RemainingSeconds is how long they take at the present rate.
	Left             uint64  `json:"left"`
	RemainingSeconds float64 `json:"remaining_seconds,omitempty"`
	// Copying are the entities whose rows, or older events, the hub copies, and Rows how
	// many rows it has copied so far.
	Copying []string `json:"copying,omitempty"`
	Rows    uint64   `json:"rows,omitempty"`
	// Total is about how many rows the owners have; absent where one does not say.
	Total       uint64 `json:"total,omitempty"`
	DeadLetters uint64 `json:"dead_letters"`
	// Reason says why the command waits.
	Reason string `json:"reason,omitempty"`
}

// The states of a command that runs. The last line has statusStopped, and the members of
// the summary.
const (
	statusCopying  = "copying"   // the hub copies rows or older events to the service
	statusWorking  = "working"   // events are applied, or delivered
	statusWaiting  = "waiting"   // for the database, the endpoint, or an owner
	statusCaughtUp = "caught_up" // nothing is left to do
	statusStopped  = "stopped"
)

// statusLines prints a line each time that a command's status changes. It is for one
// goroutine.
type statusLines struct {
	app   *app
	shown string
}

// show prints the status if anything but the time and the rate has changed. An output that
// nobody reads any more ends the command: see closedoutput.go.
func (s *statusLines) show(line statusLine) {
	switch {
	case line.Reason != "":
		line.State = statusWaiting
	case len(line.Copying) > 0:
		line.State = statusCopying
	case line.Left > 0:
		line.State = statusWorking
	default:
		line.State = statusCaughtUp
	}
	slices.Sort(line.Copying)
	line.Copying = slices.Compact(line.Copying)
	key := fmt.Sprint(line.State, line.Done, line.Left, line.Copying, line.Rows, line.DeadLetters, line.Reason)
	if key == s.shown {
		return
	}
	s.shown, line.Time = key, time.Now().UTC()
	_ = s.app.printLine(line)
}

// applyLine is the status of apply.
func applyLine(service string, p apply.Progress) statusLine {
	return statusLine{
		Service: service, Done: p.Applied, Rate: float64(int(p.Rate*10)) / 10, Left: p.Left, RemainingSeconds: p.Remaining.Round(time.Second).Seconds(),
		Copying: p.Filling, Rows: p.Rows, Total: p.Total, DeadLetters: p.DeadLetters, Reason: p.Waits,
	}
}

// pushLine is the status of push.
func pushLine(sum push.Summary, degraded []string, lane *replhub.Status) statusLine {
	line := statusLine{Service: sum.Service, Done: uint64(sum.Delivered), DeadLetters: lane.DeadLetters, Left: lane.Backlog + lane.Lag}
	for _, f := range lane.Fills {
		line.Copying, line.Rows = append(line.Copying, f.Entities...), line.Rows+f.Rows
		if f.Waits != "" {
			line.Reason = f.Waits
		}
	}
	if len(degraded) > 0 {
		line.Reason = degraded[0]
	}
	return line
}
