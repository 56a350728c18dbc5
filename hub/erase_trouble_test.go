package hub_test

import (
	"fmt"
	"testing"
)

// Ingest loses its last event, which was erased, and another event gets its sequence before
// a hub runs. Nobody stands there, so no lane notices the rollback by its place.
func TestEventAtTheSequenceOfAnErasedOne(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	for _, key := range []string{"1", "2", "3"} {
		w.user(key)
	}
	w.losing(stop, func() {
		stop = w.startHub()
		w.user("42")
		w.erase("42", false)
		stop()
	})
	w.user("after")
	w.startHub()
	w.register("all", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.register("new", `{"entities":["user"]}`)
	w.user("later")
	if got := ids(w.copies("all", 5)); got != "1 2 3 after later" {
		t.Errorf("the lane has %s", got)
	}
	if got := ids(w.copies("new", 1)); got != "later" {
		t.Errorf("the new lane has %s", got)
	}
}

// A lane that cannot be written is named, and the others do not keep the data because of it.
func TestEraseBesideABrokenLane(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	for _, service := range []string{"a", "b", "c"} {
		w.register(service, `{"entities":["user"]}`)
	}
	for _, key := range []string{"1", "42", "2"} {
		w.user(key)
	}
	for _, service := range []string{"a", "b", "c"} {
		w.copies(service, 3)
	}
	cfg := w.stream("SUB_a").CachedInfo().Config
	cfg.Sealed = true
	if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := w.stream("SUB_b").Purge(t.Context()); err != nil { // with its state record
		t.Fatal(err)
	}
	done := w.erase("42", false)
	if len(done.Left) == 0 || done.Left[0].Stream != "SUB_a" || done.Left[0].Reason == "" {
		t.Errorf("left %+v", done.Left)
	}
	w.gone("name of 42", "DB", "SUB_b", "SUB_c")
	if again := w.erase("42", false); len(again.Left) == 0 {
		t.Error("the second time nothing is left")
	}
}

// Ingest and the dead letters cannot be written: both are named, and the lanes do not keep
// the data because of it. Once they can be written again, another request ends the work.
func TestEraseBesideBrokenStreams(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("a", `{"entities":["user"]}`)
	w.register("b", `{"interests":[{"entity":"user","filter":"data.missing == 1"}]}`) // dead letters
	for _, key := range []string{"1", "42", "2"} {
		w.user(key)
	}
	w.copies("a", 3)
	w.eventually("the dead letters", func() error {
		if info, err := w.stream("DLQ").Info(t.Context()); err != nil || info.State.Msgs != 3 {
			return fmt.Errorf("%+v, %w", info.State, err)
		}
		return nil
	})
	for _, name := range []string{"DB", "DLQ"} {
		cfg := w.stream(name).CachedInfo().Config
		cfg.Sealed = true
		if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	done := w.erase("42", false)
	left := make(map[string]bool)
	for _, m := range done.Left {
		left[m.Stream] = true
	}
	if !left["DB"] || !left["DLQ"] || len(left) != 2 {
		t.Errorf("left %+v", done.Left)
	}
	w.gone("name of 42", "SUB_a")
}
