package hub_test

import (
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
