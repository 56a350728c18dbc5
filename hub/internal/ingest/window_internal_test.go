package ingest

import (
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

func eventAt(t *testing.T, seq uint64) *event.Event {
	t.Helper()
	e, err := event.Decode(event.Position{Epoch: 1, Seq: seq}, time.Unix(int64(seq), 0), "db.user.create", nil, make([]byte, 488))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWindow(t *testing.T) {
	// A little more than a whole block each: blocks end by their number of events.
	w := newWindow(3 * blockEvents * eventAt(t, 1).Size())
	w.blockBytes = 2 * blockEvents * eventAt(t, 1).Size()
	w.reset(Mark{Position: event.Position{Epoch: 1, Seq: 100}})
	generation, _, _ := w.state()
	at := func(seq uint64) event.Position { return event.Position{Epoch: 1, Seq: seq} }

	b, ok := w.after(generation, at(100))
	if !ok || len(b.Events) > 0 {
		t.Fatal("the end of an empty window is not a place to wait")
	}
	if _, ok := w.after(generation, at(99)); ok {
		t.Error("a position before the window is said to be inside")
	}
	if _, ok := w.after(generation, at(101)); ok {
		t.Error("a position beyond the window is said to be inside")
	}
	for seq := uint64(101); seq <= 100+5*blockEvents; seq++ {
		w.add(eventAt(t, seq))
	}
	_, start, end := w.state()
	if end.Seq != 100+5*blockEvents || start.Seq < 100+blockEvents {
		t.Errorf("window is %d to %d: the oldest blocks should be gone", start.Seq, end.Seq)
	}
	seen := start.Seq
	for seen < end.Seq {
		b, ok := w.after(generation, at(seen))
		if !ok || b.Before.Seq != seen {
			t.Fatalf("after %d: ok %v, before %d", seen, ok, b.Before.Seq)
		}
		for _, e := range b.Events[:min(len(b.Events), 700)] {
			if e.Pos.Seq != seen+1 {
				t.Fatalf("event %d follows %d", e.Pos.Seq, seen)
			}
			seen++
		}
	}
	w.reset(Mark{Position: at(end.Seq)})
	if _, ok := w.after(generation, at(end.Seq)); ok {
		t.Error("a position of an earlier generation is still good")
	}
}
