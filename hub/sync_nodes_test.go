//go:build long

package hub_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// TestSyncsOfThreeServers prints what each sync setting costs on three servers, with three
// replicas of every stream: publishes, copies, and how long an event takes into a lane that
// was quiet before. For such an event the hub asks once more for the end of the lane.
func TestSyncsOfThreeServers(t *testing.T) {
	for _, setting := range []string{"2m", "10s", "always"} {
		t.Run(setting, func(t *testing.T) {
			w := clusterWorld(t, cluster.StartNATSCluster(t, 3, cluster.NATSSyncInterval(setting)))
			stop := w.startHub()
			const services = 5
			for i := range services {
				w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
			}
			stop() // so that the copies have a time of their own
			const events = 20_000
			began := time.Now()
			w.publishAsync(events)
			published := time.Since(began)
			began = time.Now()
			stop = w.startHub()
			for i := range services {
				w.eventually("all copies", func() error {
					n, err := w.stored(fmt.Sprintf("SUB_s%d", i))
					if err == nil && n < events {
						err = fmt.Errorf("%d of %d", n, events)
					}
					return err
				})
			}
			copied := time.Since(began)
			t.Logf("CLUSTER sync_interval %s: %.0f publishes/s, %.0f copies/s into %d lanes", setting,
				events/published.Seconds(), services*events/copied.Seconds(), services)
			busy, quiet := w.delaysInto("s0", 50, 20*time.Millisecond), w.delaysInto("s0", 20, 1500*time.Millisecond)
			t.Logf("CLUSTER sync_interval %s: an event into a lane, every 20ms: median %s, slowest %s; every 1.5s: median %s, slowest %s", setting,
				busy[len(busy)/2], busy[len(busy)-1], quiet[len(quiet)/2], quiet[len(quiet)-1])
			stop()
		})
	}
}

// publishAsync publishes many events, of which many are under way.
func (w *world) publishAsync(n int) {
	w.t.Helper()
	js, err := jetstream.New(w.nc, jetstream.WithPublishAsyncMaxPending(500))
	if err != nil {
		w.t.Fatal(err)
	}
	var acks []jetstream.PubAckFuture
	for i := range n {
		ack, err := js.PublishAsync("db.user.update", fmt.Appendf(nil, `{"id":"%d","fill":"%0200d"}`, i, i), jetstream.WithStallWait(10*time.Second))
		if err != nil {
			w.t.Fatal(err)
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			w.t.Fatal(err)
		case <-time.After(w.patience):
			w.t.Fatal("no acknowledgement")
		}
	}
}

// delaysInto publishes events at an interval, and returns the times until each lies in a lane,
// in their order.
func (w *world) delaysInto(service string, n int, every time.Duration) (took []time.Duration) {
	w.t.Helper()
	sub, err := w.nc.SubscribeSync("sub." + service + ".user.>")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
		published := time.Now()
		m, err := sub.NextMsg(w.patience)
		if err != nil {
			w.t.Fatal(err)
		}
		if m.Header.Get(contract.HeaderPosition) == "" {
			w.t.Fatalf("no copy: %v", m.Header)
		}
		took = append(took, time.Since(published).Round(10*time.Microsecond))
	}
	slices.Sort(took)
	return took
}
