package ingest

import (
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
)

// A lane that has resumed in a new epoch must not get what the window still
// holds under the same sequences of the epoch before.
func TestWindowKeepsEpochsApart(t *testing.T) {
	w := newWindow(1 << 20)
	w.reset(Mark{Position: event.Position{Epoch: 1, Seq: 400}})
	for seq := uint64(401); seq <= 410; seq++ {
		w.add(&event.Event{Pos: event.Position{Epoch: 1, Seq: seq}})
	}
	generation, _, _ := w.state()
	for _, c := range []struct {
		pos event.Position
		ok  bool
	}{
		{event.Position{Epoch: 1, Seq: 400}, true},
		{event.Position{Epoch: 1, Seq: 410}, true},
		{event.Position{Epoch: 2, Seq: 400}, false},
		{event.Position{Epoch: 2, Seq: 405}, false},
		{event.Position{Epoch: 2, Seq: 410}, false},
	} {
		if _, ok := w.after(generation, c.pos); ok != c.ok {
			t.Errorf("after %s: %v, want %v", c.pos, ok, c.ok)
		}
	}
}
