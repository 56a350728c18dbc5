package hub_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

func (w *world) hubs() []string {
	var status contract.Status
	if err := w.call("replhub.status", "", &status); err != nil {
		return nil
	}
	return status.Hubs
}

// A hub that was killed leaves its record behind until its session ends; its
// lanes do not wait for that.
func TestDeadHubOwnsNothing(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.ID = "alive" })
	w.put("hubs.ghost", `{"v":1}`)
	for i := range 10 {
		w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
	}
	w.publish("db.user.create", `{"id":"1"}`)
	for i := range 10 {
		w.copies(fmt.Sprintf("s%d", i), 1)
	}
	if got := w.hubs(); !slices.Equal(got, []string{"alive"}) {
		t.Errorf("hubs %v", got)
	}
}

func TestHubsShareLanesAndTakeThemOver(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.ID = "one" })
	stop := w.startHub(func(c *hub.Config) { c.ID = "two" })
	w.eventually("two hubs", func() error {
		for range 10 { // whichever of them answers
			if got := w.hubs(); len(got) != 2 {
				return fmt.Errorf("%v", got)
			}
		}
		return nil
	})
	owners := make(map[string]int)
	for i := range 20 {
		service := fmt.Sprintf("s%d", i)
		w.register(service, `{"entities":["user"]}`)
		var status contract.LaneStatus
		if err := w.call("replhub.describe."+service, "", &status); err != nil {
			t.Fatal(err)
		}
		owners[status.Owner]++
	}
	if owners["one"] == 0 || owners["two"] == 0 {
		t.Errorf("lanes by owner: %v", owners)
	}
	w.publish("db.user.create", `{"id":"1"}`)
	for i := range 20 {
		w.copies(fmt.Sprintf("s%d", i), 1)
	}
	stop()
	w.publish("db.user.create", `{"id":"2"}`)
	for i := range 20 {
		w.copies(fmt.Sprintf("s%d", i), 2)
	}
}

// TestStatusCountsTheLanesOfEveryHub: each hub tells of its own, and whichever
// is asked counts them all.
func TestStatusCountsTheLanesOfEveryHub(t *testing.T) {
	w := newWorld(t)
	const services = 8
	for _, id := range []string{"one", "two"} {
		w.startHub(func(c *hub.Config) { c.ID = id })
	}
	for i := range services {
		w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
	}
	asked := make(map[string]bool)
	w.eventually("both hubs to count all lanes", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if status.Lanes[contract.LaneLive] != services || len(status.Hubs) != 2 {
			return fmt.Errorf("%s counts %v of %v", status.Hub, status.Lanes, status.Hubs)
		}
		if asked[status.Hub] = true; len(asked) < 2 {
			return fmt.Errorf("only %s was asked", status.Hub)
		}
		return nil
	})
}
