package e2e_test

import (
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
)

// The window of progress, as shares of the events of a round, in which every
// lane has to be when the hub is killed.
const (
	killFrom = 0.05
	killTo   = 0.95
)

// TestHubKilledHalfWay kills the hub three times (ten at length) while publishers run, each time
// when every lane has between 5 % and 95 % of its copies: plain,
// filtered and projected lanes, and one whose definition is changing; beside them one is
// filling from the beginning.
func TestHubKilledHalfWay(t *testing.T) {
	for _, registry := range registries(harness.KeyValue) {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 7})
			k := &killer{t: t, w: w, hub: w.StartHub("h1")}
			k.setUp()
			kills := times(3, 10)
			for round := range kills {
				k.round(round)
			}
			k.writers.Stop()
			w.Finish("hub killed half-way", kills, settleWithin)
		})
	}
}

type killer struct {
	t       *testing.T
	w       *harness.World
	hub     *harness.Hub
	writers *harness.Writers
}

// live are the lanes that only copy live events.
func live() []string { return []string{"plain", "filtered", "projected", "changing"} }

func (k *killer) setUp() {
	k.w.Register("plain", want("user"), want("tenant"))
	k.w.Register("filtered", acmeOnly("user"))
	k.w.Register("projected", withoutSecret("user"), withoutSecret("tenant"))
	k.w.Register("changing", want("user"))
	k.w.Publish(harness.Load{Writers: 4, Pad: 200}, 3000)
	k.writers = k.w.Write(harness.Load{Writers: 2, Pad: 200, Every: 4 * time.Millisecond}, 0)
}

// round lets a backlog come up behind a frozen hub, wakes it for moments at a
// time until every lane is half-way, and kills it there.
func (k *killer) round(n int) {
	k.t.Helper()
	k.change(n)
	for try := 0; ; try++ {
		if try == 20 {
			for _, service := range append(live(), "filling") {
				k.t.Logf("%+v", k.w.Describe(service))
			}
			k.t.Fatalf("round %d: lanes were never all half-way", n)
		}
		k.w.Register("filling", from("all", want("user")))
		if k.halfWay() {
			break
		}
		k.hub.Continue()
		k.w.Unregister("filling") // its fill may be over: begin another
	}
	k.hub.Kill()
	k.hub.Start()
	k.w.Unregister("filling")
}

// change registers the changing lane with another definition.
func (k *killer) change(n int) {
	k.t.Helper()
	definitions := []harness.Want{acmeOnly("user"), withoutSecret("user"), evenOnly("user"), want("user")}
	k.w.Register("changing", definitions[n%len(definitions)])
}

// halfWay freezes the hub once the fill has begun, has a backlog come up for the
// other lanes, and steps the hub through it. It leaves the hub frozen, and
// reports whether every lane is half-way.
func (k *killer) halfWay() bool {
	k.t.Helper()
	k.hub.Pause()
	for k.share("filling", 0) < 2*killFrom {
		k.step()
	}
	began := k.w.LastSeq("")
	// Much beside what one append takes, of which two may be on their way.
	k.w.Publish(harness.Load{Writers: 4, Pad: 200}, 8000)
	// A seeded share, so that the kills do not all hit the same place.
	least := killFrom + 0.15*k.w.Rand.Float64()
	low, high := k.progress(began)
	for low < least && high < killTo {
		k.step()
		low, high = k.progress(began)
	}
	return low > killFrom && high < killTo
}

// step lets a frozen hub go on for a moment.
func (k *killer) step() {
	k.hub.Continue()
	k.w.Let(time.Duration(200+k.w.Rand.IntN(800)) * time.Microsecond)
	k.hub.Pause()
}

// progress is the lowest share of the events since began that a live lane has copied, and
// the highest one. The filling lane, which has begun, counts only among the highest, by its
// share of all events: between the others it gets on by single blocks.
func (k *killer) progress(began uint64) (low, high float64) {
	k.t.Helper()
	low, high = 1, k.share("filling", 0)
	for _, service := range live() {
		share := k.share(service, began)
		low, high = min(low, share), max(high, share)
	}
	return low, high
}

// share is how much of the events behind a sequence a lane has copied.
func (k *killer) share(service string, behind uint64) float64 {
	k.t.Helper()
	return float64(max(k.w.Position(service), behind)-behind) / float64(k.w.LastSeq("")-behind)
}
