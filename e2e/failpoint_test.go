package e2e_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// killTime bounds how long a hub may take to reach a failpoint, stepped through
// its work in moments at times.
const killTime = 45 * time.Second

// TestHubKilledAtAppend kills the hub before and behind an append's
// acknowledgement: of the first, of a later one, of a batch after a backlog.
func TestHubKilledAtAppend(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 21})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.Register("filtered", acmeOnly("user"))
	w.Register("projected", withoutSecret("user"))
	writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
	points := []string{"append", "append:2", "append:7", "appended", "appended:2", "appended:7"}
	for _, point := range points {
		hub.Kill()
		w.AwaitAcked(300, settleWithin) // so that the first appends are batches
		hub.StartToFail(point)
		hub.AwaitEnd(killTime)
		hub.Start()
		w.AwaitAcked(100, settleWithin)
	}
	writers.Stop()
	w.Finish("killed at append", len(points), settleWithin)
}

// TestHubKilledAtStateChange kills the hub at each step of a registration, of a
// changed definition and of an end.
func TestHubKilledAtStateChange(t *testing.T) {
	for _, registry := range registries(harness.KeyValue) {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 22})
			hub := w.StartHub("h1")
			w.Register("plain", want("user"))
			w.Register("changing", want("user"))
			writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
			kills := 0
			for p, point := range []string{"change", "record", "recorded", "changed"} {
				for i, act := range []func(){
					func() { w.Register("new-"+point, from("all", acmeOnly("user"))) },
					func() { w.Register("changing", acmeOnly("user")) },
					func() { w.Unregister("changing", "user") },
					func() { w.Register("changing", from("all", want("user"))) },
				} {
					if registry == harness.ZooKeeper && i != p {
						act() // one kind each is enough for the second registry
						continue
					}
					hub.Stop()
					hub.StartToFail(point)
					rose := hub.Resurrect(killTime)
					act()
					if !rose() {
						t.Fatalf("%s: the hub was not killed at action %d", point, i)
					}
					kills++
					hub.AwaitReady()
				}
			}
			writers.Stop()
			w.Finish("killed at state change", kills, settleWithin)
		})
	}
}

// TestHubKilledInRegistration kills the hub between the steps of a registration
// from the first event on: pin, state record, consumers, unpinning, registry.
// Events are trimmed behind it all the while.
func TestHubKilledInRegistration(t *testing.T) {
	for _, registry := range registries(harness.ZooKeeper) {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{
				Binary: binary, Registry: registry, Seed: 25, Env: []string{"HISTORY=300ms", "TRIM_GUARD=300ms", "DEDUPE_WINDOW=300ms", "TRIM_EVERY=100ms"},
			})
			hub := w.StartHub("h1")
			w.Register("plain", want("user"))
			stop := w.Record("DB", "SUB_plain", "DLQ")
			w.Work("plain", "workers")
			writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
			points := []string{"pinned", "registered", "consumers", "unpinned"}
			for _, point := range points {
				hub.Stop()
				hub.StartToFail(point)
				rose := hub.Resurrect(killTime)
				w.Register("new-"+point, from("all", want("user")))
				if !rose() {
					t.Fatalf("%s: the hub was not killed", point)
				}
				hub.AwaitReady()
				w.AwaitAcked(100, settleWithin)
			}
			writers.Stop()
			stop()
			w.Finish("killed in a registration", len(points), settleWithin)
		})
	}
}

// TestHubKilledInDrop kills the hub between a lane's last record and the end of
// its stream. What is asked for after that is done: the drop again, and a
// registration, which has to wait for it.
func TestHubKilledInDrop(t *testing.T) {
	for _, next := range []string{"replhub.drop.plain", "replhub.register.plain"} {
		t.Run(next, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Seed: 27})
			hub := w.StartHub("h1")
			w.Register("plain", want("user"))
			w.Publish(harness.Load{}, 50)
			w.Unregister("plain")
			hub.Stop()
			hub.StartToFail("dropped")
			rose := hub.Resurrect(killTime)
			if err := w.NC.PublishRequest("replhub.drop.plain", nats.NewInbox(), nil); err != nil {
				t.Fatal(err)
			}
			if !rose() {
				t.Fatal("the hub was not killed")
			}
			hub.AwaitReady()
			w.Forget("plain")
			if next == "replhub.drop.plain" {
				w.MustCall(next, "", nil)
			}
			w.Register("plain", from("all", want("user")))
			w.Publish(harness.Load{}, 50)
			w.Finish("killed in a drop", 1, settleWithin)
		})
	}
}

// TestHubKilledInFill kills the hub at each step of a fill that takes turns
// with live events.
func TestHubKilledInFill(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 23})
	hub := w.StartHub("h1")
	w.Publish(harness.Load{Writers: 4}, 30_000) // 30 blocks, 3 s and more of a slow hub
	w.Register("filling", want("tenant"))
	writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
	w.Eventually("a live copy, without which the lane would go back instead of filling", settleWithin, func() error {
		if w.Position("filling") == 0 {
			return errors.New("none yet")
		}
		return nil
	})
	points := []string{"fill:2", "fill switch:2", "fill done"}
	if lengthy {
		points = []string{"fill", "fill:2", "fill:3", "fill switch", "fill switch:2", "fill done"}
	}
	for _, point := range points {
		hub.Stop()
		hub.StartToFail(point)
		var rose func() bool
		if strings.HasPrefix(point, "fill switch") { // turns go by time
			rose = hub.ResurrectSlow(killTime, 2*time.Millisecond, 100*time.Millisecond)
		} else {
			rose = hub.Resurrect(killTime)
		}
		w.Register("filling", from("all", want("user")))
		if !rose() {
			t.Fatalf("%s: the hub was not killed", point)
		}
		hub.AwaitReady()
		w.Unregister("filling", "user")
	}
	writers.Stop()
	w.Finish("killed in a fill", len(points), settleWithin)
}

// TestHubKilledInTrim kills the hub at each step of a trim, with workers that
// acknowledge what they get, so that there is always something to trim.
func TestHubKilledInTrim(t *testing.T) {
	w := harness.New(t, harness.Options{
		Binary: binary, Seed: 24, Env: []string{"HISTORY=300ms", "TRIM_GUARD=300ms", "DEDUPE_WINDOW=300ms", "TRIM_EVERY=100ms"},
	})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.RegisterQueue("ordered", &contract.Queue{Order: "key", Partitions: 4}, want("user"))
	stop := w.Record("DB", "SUB_plain", "SUB_ordered", "DLQ")
	w.Work("plain", "workers")
	w.Work("ordered", "workers-0", "workers-1", "workers-2", "workers-3")
	writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
	points := []string{"trim record", "trim", "trim record:2", "trim:3", "floor", "purged", "floor:2"}
	for _, point := range points {
		hub.Stop()
		hub.StartToFail(point)
		hub.AwaitEnd(killTime)
		hub.Start()
		w.AwaitAcked(100, settleWithin)
	}
	writers.Stop()
	stop()
	w.Finish("killed in a trim", len(points), settleWithin)
}
