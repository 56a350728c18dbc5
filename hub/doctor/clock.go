package doctor

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Differences of clocks beyond which a check warns and fails. The hub keeps events for
// five minutes at least, by the clock of the server that leads ingest: leaders whose clocks
// differ by a minute take a part of that.
const (
	clockWarn = time.Second
	clockFail = time.Minute
)

// judgeClock compares the clocks of the servers and hubs with this machine's.
func judgeClock(f *facts, r *Report) {
	if f.cfg.Conn == nil {
		return // told as server.reachable
	}
	g := r.group(GroupClock)
	seen := map[string]clock{}
	for i := range f.streams {
		s := &f.streams[i]
		if s.err != nil || s.TimeStamp.IsZero() || s.clock == (clock{}) {
			continue
		}
		name := f.server
		if s.Cluster != nil && s.Cluster.Leader != "" {
			name = s.Cluster.Leader
		}
		keepSharpest(seen, "server "+name, s.clock)
	}
	for _, m := range f.monitors {
		if m.err == nil {
			keepSharpest(seen, "server "+m.Name, m.clock)
		}
	}
	if len(seen) == 0 {
		g.unseen("clock.server", "", "no server has told its time", "use the hub's credentials once a hub has run, or name the server's monitoring address with --monitor")
	}
	hubs := 0
	for _, s := range f.status {
		if !s.Time.IsZero() {
			hubs++
			keepSharpest(seen, "hub "+s.Hub, s.clock)
		}
	}
	for _, h := range f.hubs {
		if !h.Time.IsZero() {
			hubs++
			keepSharpest(seen, "hub "+h.Hub, h.clock)
		}
	}
	if hubs == 0 && len(f.status)+len(f.hubs) > 0 {
		g.unseen("clock.hub", "", "no hub has told its time: they are of an earlier version", "upgrade the hubs")
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		judgeOneClock(g, name, seen[name])
	}
}

// keepSharpest keeps the more exact of two measurements.
func keepSharpest(seen map[string]clock, name string, c clock) {
	if before, ok := seen[name]; !ok || c.spread < before.spread {
		seen[name] = c
	}
}

func judgeOneClock(g group, name string, c clock) {
	ahead, word := c.ahead, "ahead of"
	if ahead < 0 {
		ahead, word = -ahead, "behind"
	}
	text := fmt.Sprintf("its clock is %s %s this machine's (give or take %s)", ahead.Round(time.Millisecond), word, c.spread.Round(time.Millisecond))
	const do = "have all machines set their clocks by NTP"
	switch least := ahead - c.spread; {
	case least >= clockFail:
		g.fail("clock.difference", name, text, do)
	case least >= clockWarn:
		g.warn("clock.difference", name, text, do)
	default:
		g.pass("clock.difference", name, text)
	}
}
