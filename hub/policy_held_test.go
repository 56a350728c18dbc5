package hub_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
)

// publishSurely publishes an update of a user, though the server has just started.
func (w *world) publishSurely(id string) {
	w.t.Helper()
	w.eventually("an update of user "+id, func() error {
		_, err := w.js.Publish(w.t.Context(), "db.user.update", fmt.Appendf(nil, `{"id":%q,"secret":"x"}`, id), jetstream.WithMsgID("user"+id))
		return err
	})
}

// TestOlderLaneGetsItsPolicyBack: the server begins with a copy of the lane from before
// the policy. No copy is made without the policy, and once it is in force again the lane
// goes on.
func TestOlderLaneGetsItsPolicyBack(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { w.behindGate(c) })
	w.register("s", `{"entities":["user"]}`)
	w.publishSurely("1")
	w.awaitCopies("s", "user 1")
	w.stopServer()
	older := w.copyLane("s")
	w.startServer()
	w.eventually("the policy", func() error { return w.call("replhub.policy.user", `{"allow":{"s":{"fields":["id"]}}}`, nil) })
	w.publishSurely("2")
	w.awaitCopies("s", "user 1", "user 2")
	w.stopServer()
	w.putBackLane("s", older)
	w.startServer()
	w.publishSurely("3")
	w.awaitCopies("s", "user 1", "user 2", "user 3")
	if got := payloads(w.copies("s", 3)[1:]); got != `{"id":"2"} {"id":"3"}` {
		t.Errorf("got %s", got)
	}
}

// awayRegistry is a registry that cannot be read.
type awayRegistry struct {
	hub.Registry

	back atomic.Bool
}

func (r *awayRegistry) Snapshot() *tree.Snapshot {
	if r.back.Load() {
		return r.Registry.Snapshot()
	}
	return nil
}

func (r *awayRegistry) Status() tree.Status {
	if r.back.Load() {
		return r.Registry.Status()
	}
	return tree.Status{Err: "away"}
}

// TestOlderLaneWhileTheRegistryIsAway: a hub that cannot read the policy copies nothing
// into such a lane, and says so.
func TestOlderLaneWhileTheRegistryIsAway(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.publishSurely("1")
	w.awaitCopies("s", "user 1")
	w.stopServer()
	older := w.copyLane("s")
	w.startServer()
	w.eventually("the policy", func() error { return w.call("replhub.policy.user", `{"allow":{"s":{"fields":["id"]}}}`, nil) })
	stop()
	w.stopServer()
	w.putBackLane("s", older)
	w.startServer()
	w.publishSurely("2")
	var registry awayRegistry
	w.startHub(func(c *hub.Config) {
		registry.Registry = c.Registry
		c.Registry, c.StartTimeout = &registry, 2*time.Second
	})
	w.eventually("the hub to say that it holds the lane", func() error {
		var s contract.Status
		if err := w.call("replhub.status", "", &s); err != nil {
			return err
		}
		if !strings.Contains(strings.Join(s.Degraded, " "), "lane s held: the policy of user") {
			return fmt.Errorf("degraded %q", s.Degraded)
		}
		return nil
	})
	w.awaitCopies("s", "user 1")
	registry.back.Store(true)
	w.awaitCopies("s", "user 1", "user 2")
	if got := payloads(w.copies("s", 2)[1:]); got != `{"id":"2"}` {
		t.Errorf("got %s", got)
	}
}
