package ingest_test

import (
	"context"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
)

// heard is a follower that notes what it is told.
type heard chan *event.Event

func (h heard) Follow(e *event.Event) bool {
	h <- e
	return true
}

// Whoever is told of an event, and asks for all before it, misses none: the
// last event of a burst is always told of, and so is every event that comes by
// itself.
func TestFollowersAreToldOfTheNewest(t *testing.T) {
	const burst = 1000
	g, js := open(t, burst)
	at, err := g.MarkBefore(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	tail := g.NewTail(at)
	told := make(heard, burst)
	stop := tail.Follow(told)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tail.Run(ctx) }()
	next := func() uint64 {
		t.Helper()
		select {
		case e := <-told:
			if e == nil {
				return 0
			}
			return e.Pos.Seq
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was told")
			return 0
		}
	}
	times := 0
	for last := uint64(0); last < burst; times++ {
		seq := next()
		if seq <= last || tail.End().Seq < seq {
			t.Fatalf("told of %d behind %d; the tail ends at %d", seq, last, tail.End().Seq)
		}
		last = seq
	}
	if times > burst/2 {
		t.Errorf("told %d times of a burst of %d", times, burst)
	}
	for seq := uint64(burst + 1); seq < burst+20; seq++ {
		if _, err := js.Publish(t.Context(), "db.user.update", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != seq {
			t.Fatalf("told of %d, want %d", got, seq)
		}
	}
	stop()
	if _, err := js.Publish(t.Context(), "db.user.update", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); tail.End().Seq < burst+20; {
		if time.Now().After(deadline) {
			t.Fatal("the tail does not go on")
		}
		<-time.After(time.Millisecond)
	}
	if len(told) > 0 {
		t.Error("told after it was stopped")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

var _ ingest.Follower = heard(nil)
