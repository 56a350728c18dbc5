package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
)

// TestTwoHubsOnEveryLane runs a hub beside one that believes to own every lane,
// under load, while registrations change: their appends meet all the time.
func TestTwoHubsOnEveryLane(t *testing.T) {
	for _, registry := range registries(harness.ZooKeeper) {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 11})
			first := w.StartHub("h1")
			w.Register("plain", want("user"), want("tenant"))
			w.Register("filtered", acmeOnly("user"))
			w.StartHub("h2", "OWN_ALL=true")
			writers := w.Write(harness.Load{Writers: 3, Every: time.Millisecond}, 0)
			changes := churn(w, times(20, 40))
			first.Kill()
			changes += churn(w, 5)
			first.Start()
			changes += churn(w, times(10, 20))
			writers.Stop()
			w.Finish("two hubs on every lane", changes, settleWithin)
		})
	}
}

// churn changes registrations in turn: definitions, ends, new fills.
func churn(w *harness.World, n int) int {
	definitions := []harness.Want{acmeOnly("user"), withoutSecret("user"), evenOnly("user"), want("user")}
	for i := range n {
		switch w.Rand.IntN(4) {
		case 0:
			w.Unregister("changing", "user")
			w.Register("changing", from("all", want("user")))
		case 1:
			w.Register("changing", want("tenant"))
			w.Unregister("changing", "tenant")
		default:
			w.Register("changing", definitions[i%len(definitions)])
		}
		w.AwaitAcked(20, settleWithin)
	}
	return n
}

// TestOwnerFrozen freezes the hub that copies, lets another take over, which takes less
// than five seconds, and wakes it: it goes on in the middle of what it was doing.
func TestOwnerFrozen(t *testing.T) {
	for _, registry := range registries(harness.KeyValue) {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 12})
			hubs := map[string]*harness.Hub{"h1": w.StartHub("h1"), "h2": w.StartHub("h2")}
			for i := range 4 {
				w.Register(fmt.Sprintf("s%d", i), want("user"), acmeOnly("tenant"))
			}
			writers := w.Write(harness.Load{Writers: 2, Every: time.Millisecond}, 0)
			const freezes = 2
			for range freezes {
				owner := w.Describe("s0").Owner
				frozen := hubs[owner]
				if frozen == nil {
					t.Fatalf("owner %q", owner)
				}
				frozen.Pause()
				at, began := w.Position("s0"), time.Now()
				w.Eventually("another hub to go on", settleWithin, func() error {
					if w.Position("s0") < at+200 {
						return fmt.Errorf("at %d", w.Position("s0"))
					}
					return nil
				})
				t.Logf("another hub went on after %d ms", time.Since(began).Milliseconds())
				if took := time.Since(began); took > takeWithin {
					t.Errorf("another hub took over after %s", took)
				}
				frozen.Continue()
				w.AwaitAcked(500, settleWithin)
			}
			writers.Stop()
			w.Finish("owner frozen", freezes, settleWithin)
		})
	}
}
