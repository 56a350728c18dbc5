package doctor

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// How long a lane may be behind, and a copy may wait, before it is a warning.
const (
	lagWarn    = time.Minute
	oldestWarn = 5 * time.Minute
)

// judgeLanes judges the services' lanes as the hubs report them.
func judgeLanes(f *facts, r *Report) {
	if len(f.status) == 0 {
		if f.cfg.Conn != nil {
			r.group(GroupLanes).unseen("lanes.state", "", "the lanes: no hub has told of them", "")
		}
		return
	}
	g := r.group(GroupLanes)
	if f.servicesErr != nil {
		g.unseen("lanes.state", "", fmt.Sprintf("the lanes: %v", f.servicesErr), "")
		return
	}
	if len(f.services) == 0 {
		g.pass("lanes.state", "", "no service is registered")
	}
	for i := range f.services {
		judgeLane(g, &f.services[i], f.cfg.Clock())
	}
}

// judgeLane judges one lane. A lane in good order has one finding, which says so.
func judgeLane(g group, s *contract.LaneStatus, now time.Time) {
	before := len(g.report.Findings)
	judgeLaneState(g, s)
	if seconds(s.LagSeconds) >= lagWarn {
		g.warn("lanes.lag", s.Service, fmt.Sprintf("the hub is %d events behind; the oldest is %s old", s.Lag, seconds(s.LagSeconds).Round(time.Second)),
			"look at the hub's CPU and at the server's disk")
	}
	if seconds(s.OldestUnacked) >= oldestWarn {
		g.warn("lanes.backlog", s.Service, fmt.Sprintf("%d copies wait; the oldest for %s", s.Backlog, seconds(s.OldestUnacked).Round(time.Second)),
			"start instances of the service, or look at their errors")
	}
	if s.DeadLetters > 0 {
		g.warn("lanes.dead_letters", s.Service, fmt.Sprintf("%d dead letters", s.DeadLetters),
			fmt.Sprintf("find the reasons with 'replhub dlq ls %s --letters', then redrive or remove them", s.Service))
	}
	if s.DeadLettersUnknown {
		g.unseen("lanes.dead_letters", s.Service, "the dead letters could not be counted", "look again")
	}
	for _, u := range s.Unavailable {
		g.warn("lanes.unavailable", s.Service, fmt.Sprintf("instance %s waits for something that its handlers need: %s", u.Instance, u.Error), "make it available again; the instances continue by themselves")
	}
	judgeWorkers(g, s, now)
	if s.Fill != nil && s.Fill.Stalled != "" {
		g.warn("lanes.fill", s.Service, s.Fill.Stalled, "")
	}
	if len(g.report.Findings) == before {
		g.pass("lanes.state", s.Service, fmt.Sprintf("%s; lag %d, backlog %d", s.State, s.Lag, s.Backlog))
	}
}

func judgeLaneState(g group, s *contract.LaneStatus) {
	do := map[string]string{
		contract.LaneDetached:     "the lane has missed events: register the service again with a start",
		contract.LaneStalled:      "remove the cause; the hub goes on by itself",
		contract.LaneIncompatible: "run the newer version of the hub",
	}
	switch s.State {
	case contract.LaneLive, contract.LaneBehind, contract.LaneFilling:
	case contract.LaneDetached, contract.LaneStalled, contract.LaneIncompatible:
		g.fail("lanes.state", s.Service, laneText(s), do[s.State])
	default:
		g.warn("lanes.state", s.Service, laneText(s), "")
	}
}

func laneText(s *contract.LaneStatus) string {
	if s.Reason == "" {
		return "the lane is " + s.State
	}
	return fmt.Sprintf("the lane is %s: %s", s.State, s.Reason)
}

func judgeWorkers(g group, s *contract.LaneStatus, now time.Time) {
	for _, w := range s.Workers {
		switch {
		case w.Missing:
			g.fail("lanes.consumer", s.Service, fmt.Sprintf("the server does not have consumer %s", w.Consumer), "a hub makes it again; if it stays away, look at the hub's log")
		case w.PausedUntil != nil && w.PausedUntil.After(now):
			g.warn("lanes.paused", s.Service, fmt.Sprintf("consumer %s is paused until %s", w.Consumer, w.PausedUntil.UTC().Format(time.RFC3339)), fmt.Sprintf("'replhub resume %s', if that is not meant", s.Service))
			return // all of a service are paused together
		}
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
