package e2e_test

import (
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
)

// TestLanesOffTheTail has the hub keep so few events in memory that its lanes
// fall behind them all the time and read ingest by themselves, through kills.
func TestLanesOffTheTail(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 81, Env: []string{"WINDOW_BYTES=60000"}})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.Register("filtered", acmeOnly("user"))
	w.Register("projected", withoutSecret("user"), evenOnly("tenant"))
	w.Register("rare", want("seldom"))
	const kills = 3
	for range kills {
		hub.Kill()
		w.Publish(harness.Load{Writers: 4, Pad: 200}, 2000)
		hub.Start()
		writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
		w.Register("filling", from("all", want("user")))
		w.AwaitAcked(300, settleWithin)
		w.Unregister("filling")
		writers.Stop()
	}
	w.Publish(harness.Load{Entities: []string{"seldom"}}, 5)
	w.Finish("lanes off the tail", kills, settleWithin)
}
