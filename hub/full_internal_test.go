package hub

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/kvmap"
	"github.com/replhub/replhub/subjects"
)

func TestStuck(t *testing.T) {
	name, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	type glance struct {
		after time.Duration
		seq   uint64
		waits bool
		stuck bool
	}
	const step = stuckAfter / 2
	for what, glances := range map[string][]glance{
		"stands still":                      {{0, 7, false, false}, {step, 7, false, false}, {step, 7, false, true}},
		"looked at often, for a short time": {{0, 7, false, false}, {1, 7, false, false}, {1, 7, false, false}, {1, 7, false, false}},
		"moves on, slowly":                  {{0, 7, false, false}, {step, 8, false, false}, {step, 9, false, false}, {step, 10, false, false}, {step, 11, false, false}},
		"moves, then stands":                {{0, 7, false, false}, {step, 8, false, false}, {step, 8, false, false}, {step, 8, false, true}},
		"waits for its turn to read":        {{0, 7, true, false}, {step, 7, true, false}, {step, 7, true, false}, {step, 7, true, false}},
		"waited for its turn once":          {{0, 7, false, false}, {step, 7, true, false}, {step, 7, false, false}, {step, 7, false, true}},
		"this hub stood still in between":   {{0, 7, false, false}, {lookAgain + 1, 7, false, false}, {step, 7, false, false}, {step, 7, false, true}},
	} {
		var l looks
		now := time.Now()
		for i, g := range glances {
			now = now.Add(g.after)
			at := event.Position{Epoch: 1, Seq: g.seq}
			if got := l.stuck(name, at, g.waits, now); got != g.stuck {
				t.Errorf("%s, look %d: stuck %v, want %v", what, i+1, got, g.stuck)
			}
		}
	}
}

// After a restart the server knows only the ids that ingest still holds: what is
// younger than the dedupe window must not be trimmed.
func TestTrimGuardIsNeverBelowTheDedupeWindow(t *testing.T) {
	for _, c := range []struct{ guard, window, wantGuard, wantWindow time.Duration }{
		{0, 0, 10 * time.Minute, 10 * time.Minute},
		{0, time.Hour, time.Hour, time.Hour},
		{0, time.Minute, 5 * time.Minute, time.Minute},
		{time.Second, time.Minute, time.Minute, time.Minute},
		{time.Second, 0, time.Second, time.Second},
		{1, 0, minDedupeWindow, minDedupeWindow},
		{time.Hour, 0, time.Hour, 10 * time.Minute},
	} {
		got := Config{TrimGuard: c.guard, DedupeWindow: c.window}.withDefaults()
		if got.TrimGuard != c.wantGuard || got.DedupeWindow != c.wantWindow {
			t.Errorf("guard %s, window %s: become %s and %s, want %s and %s", c.guard, c.window,
				got.TrimGuard, got.DedupeWindow, c.wantGuard, c.wantWindow)
		}
	}
	cfg := Config{Conn: new(nats.Conn), Registry: new(kvmap.Map), DedupeWindow: time.Millisecond}.withDefaults()
	if err := cfg.validate(); err == nil {
		t.Error("a window that the server does not take is accepted")
	}
}
