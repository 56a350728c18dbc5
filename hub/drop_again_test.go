package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// A service that was dropped registers again: its new lane has sequences of its
// own, and its workers get them from the first on, not paused as the old ones were.
func TestLaneAfterADropStartsAtItsBeginning(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) {
		c.History, c.TrimGuard, c.TrimEvery = time.Millisecond, time.Millisecond, 20*time.Millisecond
	})
	w.register("s", `{"entities":["user"]}`)
	for range 20 {
		w.publish("db.user.update", `{"id":"1"}`)
	}
	w.consume("s", "workers", 20)
	w.eventually("the hub to have seen how far the workers are", func() error {
		if first := w.stream("SUB_s").CachedInfo().State.FirstSeq; first < 20 {
			return fmt.Errorf("the lane holds copies from %d on", first)
		}
		return nil
	})
	for _, step := range []struct{ verb, request string }{{"pause", `{"for":"1h"}`}, {"unregister", `{}`}, {"drop", `{}`}} {
		if err := w.call("replhub."+step.verb+".s", step.request, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"2"}`)
	var status contract.LaneStatus
	w.eventually("the copy to wait for a worker", func() error {
		if err := w.call("replhub.describe.s", "", &status); err != nil {
			return err
		}
		if status.Backlog != 1 || status.Workers[0].PausedUntil != nil {
			return fmt.Errorf("backlog %d, workers %+v", status.Backlog, status.Workers)
		}
		return nil
	})
	w.consume("s", "workers", 1)
}
