package hub_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// eager has a hub trim whatever nobody needs, at once.
func eager(c *hub.Config) { c.History, c.TrimGuard, c.TrimEvery = 1, 1, 50_000_000 }

func TestTrimWaitsForAStalledLane(t *testing.T) {
	w := newWorld(t)
	w.startHub(eager)
	w.register("full", `{"entities":["user"],"max_bytes":65536}`)
	w.register("other", `{"entities":["user"]}`)
	const events = 1000
	if err := w.publishAll(t.Context(), "user", events); err != nil {
		t.Fatal(err)
	}
	w.copies("other", events)
	w.eventually("ingest to be trimmed up to the stalled lane", func() error {
		if first := w.stream(contract.StreamIngest).CachedInfo().State.FirstSeq; first < 10 {
			return fmt.Errorf("first event %d", first)
		}
		return nil
	})
	for seen := 0; seen < events; seen += 20 {
		for i, m := range w.consume("full", "workers", 20) {
			if sequence(m.Headers()) != fmt.Sprint(seen+i+1) {
				t.Fatalf("copy %d is event %s", seen+i, sequence(m.Headers()))
			}
		}
	}
}

// consumePinned takes and acknowledges n copies of a partition.
func (w *world) consumePinned(service string, partition, n int) {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, fmt.Sprintf("workers-%d", partition))
	if err != nil {
		w.t.Fatal(err)
	}
	messages, err := c.Messages(jetstream.PullPriorityGroup(contract.GroupWorkers))
	if err != nil {
		w.t.Fatal(err)
	}
	defer messages.Stop()
	for range n {
		m, err := messages.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		if err := m.DoubleAck(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestTrimWithAnIdlePartition(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	reply := w.register("s", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	if len(reply.Consumers) != 2 || reply.Consumers[1] != "workers-1" {
		t.Fatalf("consumers %v", reply.Consumers)
	}
	// Keys of the first partition only: the other never gets anything.
	keys := make(map[int]string)
	for i := 0; len(keys) < 2; i++ {
		key := fmt.Sprintf("k%d", i)
		keys[subjects.Partition(key, 2)] = key
	}
	for range 50 {
		w.publish("db.user.update", `{}`, contract.HeaderKey, keys[0])
	}
	w.copies("s", 50)
	w.consumePinned("s", 0, 50)
	stop()
	stop = w.startHub(eager)
	w.eventually("the lane to be trimmed to its end", func() error {
		if n := w.stream("SUB_s").CachedInfo().State.Msgs; n > 2 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})
	// The next hub continues from the newest state record.
	stop()
	w.startHub()
	w.publish("db.user.update", `{}`, contract.HeaderKey, keys[1])
	w.consumePinned("s", 1, 1)
}

func TestOrderChangesOnlyWithoutBacklog(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	change := `{"queue":{"order":"key","partitions":2}}`
	refusal := asRefusal(t, w.call("replhub.register.s", change, nil))
	if refusal.Code != contract.CodeBacklog || refusal.Field != "queue" {
		t.Errorf("refused with %v", refusal)
	}
	w.consume("s", "workers", 1)
	w.register("s", change)
	w.publish("db.user.update", `{"id":"1"}`)
	m := w.copies("s", 2)[1]
	var partition int
	if _, err := fmt.Sscanf(m.Subject, "sub.s.user.update.%d", &partition); err != nil {
		t.Fatal(err)
	}
	w.consumePinned("s", partition, 1)
	if _, err := w.js.Consumer(t.Context(), "SUB_s", "workers"); err == nil {
		t.Error("the consumer of the old order is still there")
	}
}
