//go:build long

package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// The clocks of three servers are five minutes apart from each other, and leaders move all
// the time: so the times of the events go back and forth. Every event is in each lane once,
// in order, also in a lane that starts with all of them, and erased events are no loss.
func TestServersClocksAreApart(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 3, cluster.NATSClocks(5*time.Minute, 0, -5*time.Minute))
	w := clusterWorld(t, servers)
	w.pair()
	stop := w.load(0)
	at := 0
	for range 12 {
		w.stepDown(contract.StreamIngest, contract.StreamLedger, "SUB_s", "SUB_k")
		at += 30
		w.eventually("events of another leader", func() error {
			if n, err := w.stored(contract.StreamIngest); err != nil || n < at {
				return fmt.Errorf("%d of %d events, %w", n, at, err)
			}
			return nil
		})
	}
	n := stop()
	for _, service := range []string{"s", "k"} {
		checkSequences(t, service, w.copies(service, n), 1)
	}
	calm := func() { // the elections are over, and ingest does not count as rolled back
		w.eventually("no trouble", func() error {
			var s contract.Status
			if err := w.call("replhub.status", "", &s); err != nil || s.Ingest.Epoch != 1 || len(s.Degraded)+len(s.Registry.Alarms) > 0 {
				return fmt.Errorf("epoch %d, %q, %q, %w", s.Ingest.Epoch, s.Degraded, s.Registry.Alarms, err)
			}
			return nil
		})
	}
	calm()
	erased := 0
	for i := 1; i < n; i += 10 {
		w.eventually("an erasure", func() error {
			if done := w.erase(fmt.Sprint(i), false); len(done.Left) > 0 {
				return fmt.Errorf("left %+v", done.Left)
			}
			return nil
		})
		erased++
	}
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.copies("late", n-erased)
	calm()
	t.Logf("CLUSTER clocks ten minutes apart: %d events, %d erased, 0 lost, 0 repeated", n, erased)
}
