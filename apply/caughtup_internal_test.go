package apply

import (
	"testing"
	"time"

	"github.com/replhub/replhub"
)

// All is done when the lane is where ingest ended at the begin, no fill is under way, and
// the oldest copy that is left is younger; two looks in a row say so.
func TestCaughtUp(t *testing.T) {
	at := time.Unix(1000, 0)
	type look struct {
		after           time.Duration
		epoch, seq, lag uint64
		fills           int
		backlog         uint64
		oldest          time.Duration
		want            bool
	}
	for name, looks := range map[string][]look{
		"nothing to do":  {{0, 1, 10, 0, 0, 0, 0, false}, {1, 1, 10, 0, 0, 0, 0, true}},
		"behind":         {{0, 1, 5, 5, 0, 0, 0, false}, {0, 1, 9, 3, 0, 0, 0, false}, {0, 1, 10, 2, 0, 0, 0, false}, {0, 1, 11, 1, 0, 0, 0, true}},
		"filling":        {{0, 1, 10, 0, 1, 0, 0, false}, {0, 1, 10, 0, 1, 0, 0, false}, {0, 1, 10, 0, 0, 0, 0, false}, {0, 1, 10, 0, 0, 0, 0, true}},
		"not applied":    {{0, 1, 10, 0, 0, 3, time.Minute, false}, {0, 1, 10, 0, 0, 1, time.Minute, false}, {0, 1, 10, 0, 0, 0, 0, false}, {0, 1, 10, 0, 0, 0, 0, true}},
		"under load":     {{0, 1, 10, 0, 0, 9, time.Second, false}, {4 * time.Second, 1, 90, 0, 0, 9, 5 * time.Second, false}, {4 * time.Second, 1, 90, 0, 0, 9, 2 * time.Second, false}, {4 * time.Second, 1, 90, 0, 0, 9, 2 * time.Second, true}},
		"comes and goes": {{0, 1, 10, 0, 0, 0, 0, false}, {0, 1, 10, 0, 0, 1, time.Minute, false}, {0, 1, 10, 0, 0, 0, 0, false}, {0, 1, 10, 0, 0, 0, 0, true}},
		"an older epoch": {{0, 0, 90, 10, 0, 0, 0, false}, {0, 0, 90, 10, 0, 0, 0, false}, {0, 1, 10, 0, 0, 0, 0, false}, {0, 1, 10, 0, 0, 0, 0, true}},
		"a newer epoch":  {{0, 1, 5, 5, 0, 0, 0, false}, {0, 2, 1, 7, 0, 0, 0, false}, {0, 2, 2, 6, 0, 0, 0, false}, {0, 2, 8, 0, 0, 0, 0, false}, {0, 2, 8, 0, 0, 0, 0, true}},
	} {
		c := caughtUp{epoch: 1}
		for i, l := range looks {
			s := &replhub.Status{State: replhub.StateLive, Position: replhub.Position{Epoch: l.epoch, Seq: l.seq}, Lag: l.lag, Backlog: l.backlog, OldestUnacked: l.oldest, Fills: make([]replhub.Fill, l.fills)}
			if got := c.look(s, at.Add(l.after)); got != l.want {
				t.Errorf("%s, look %d: %v", name, i, got)
			}
		}
	}
}
