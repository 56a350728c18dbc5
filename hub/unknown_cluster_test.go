package hub_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// A lane whose only server is away cannot say where it stands. The server's list
// of streams leaves it out, but it is not gone: ingest keeps what the lane needs,
// the operator is told, and may give the lane up.
func TestLaneWithoutAServerKeepsItsEvents(t *testing.T) {
	t.Parallel() // it waits for elections most of the time
	nodes := cluster.StartNATSCluster(t, 3)
	w := &world{t: t, url: nodes.URL(), patience: time.Minute}
	w.open(jetstream.WithDefaultTimeout(time.Second))
	o := w.observe(nil, eager, func(c *hub.Config) { c.OnFull = hub.OnFullRefuse })
	const events = 600
	for service, request := range map[string]string{"lone": `{"entities":["user"],"max_bytes":65536}`, "other": `{"entities":["user"]}`} {
		w.register(service, request) // the first append to a stream without a leader is made again
	}
	w.publishInTurn(0, events)
	w.awaitState("lone", contract.LaneStalled) // what is in ingest only is what it needs
	node := nodes.Node(w.shrink("SUB_lone"))

	node.Kill()
	o.awaitHealth(w, http.StatusOK, "where lane lone stands cannot be read")
	w.publishInTurn(events, 10)
	w.drain("other", events+10)
	refusal := asRefusal(t, w.call("replhub.drop.other", `{"lost":true}`, nil))
	if refusal.Code != contract.CodeInUse {
		t.Errorf("giving up a lane that can be read: %v", refusal)
	}
	if first := w.firstOf(contract.StreamIngest); first > events {
		t.Errorf("ingest was trimmed up to event %d, past what the lane without a server needs", first)
	}
	node.Start()
	w.drain("lone", events+10)
	w.eventually("nothing to be degraded", func() error {
		if _, health := readyz(t, o.Hub); len(health.Degraded) > 0 {
			return fmt.Errorf("%q", health.Degraded)
		}
		return nil
	})

	node.Kill()
	w.publishInTurn(events+10, 10)
	w.eventually("the lane to be given up", func() error { return w.call("replhub.drop.lone", `{"lost":true}`, nil) })
	w.eventually("ingest to be trimmed without the lane", func() error {
		w.drain("other", 0)
		if first := w.firstOf(contract.StreamIngest); first < events+20 {
			return fmt.Errorf("it begins at event %d", first)
		}
		return nil
	})
}

// shrink leaves a stream one of its three servers, and returns that server's name.
func (w *world) shrink(stream string) (node string) {
	w.t.Helper()
	w.eventually(stream+" to be on one server", func() error {
		s, err := w.js.Stream(w.t.Context(), stream)
		if err != nil {
			return err
		}
		info := s.CachedInfo()
		cfg := info.Config
		if cfg.Replicas == 1 && len(info.Cluster.Replicas) == 0 && info.Cluster.Leader != "" {
			node = info.Cluster.Leader
			return nil
		}
		if cfg.Replicas != 1 {
			cfg.Replicas = 1
			if _, err := w.js.UpdateStream(w.t.Context(), cfg); err != nil {
				return err
			}
		}
		return fmt.Errorf("it is on %q and %d more", info.Cluster.Leader, len(info.Cluster.Replicas))
	})
	return node
}

// firstOf is a stream's first sequence; 0 where the server does not say.
func (w *world) firstOf(stream string) uint64 {
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		return 0
	}
	return s.CachedInfo().State.FirstSeq
}

// publishInTurn publishes n events one after the other, each until it is
// acknowledged; before were published already.
func (w *world) publishInTurn(before, n int) {
	w.t.Helper()
	for i := before; i < before+n; i++ {
		w.eventually("an event to be acknowledged", func() error {
			data := fmt.Appendf(nil, `{"id":"%d","pad":"%0100d"}`, i, 0)
			_, err := w.js.Publish(w.t.Context(), "db.user.update", data, jetstream.WithMsgID(fmt.Sprintf("turn-%d", i)))
			return err
		})
	}
}

// drain works as a service until it was given the copies of the first n events.
// Seen for the first time, they come in order.
func (w *world) drain(service string, n uint64) {
	w.t.Helper()
	var seen uint64
	w.eventually(fmt.Sprintf("%s to be given %d copies", service, n), func() error {
		c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, contract.ConsumerWorkers)
		if err != nil {
			return err
		}
		batch, err := c.Fetch(500, jetstream.FetchMaxWait(200*time.Millisecond))
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			var seq uint64
			if _, err := fmt.Sscan(sequence(m.Headers()), &seq); err != nil || seq > seen+1 && n > 0 {
				w.t.Fatalf("after event %d, %s is given %d, %v", seen, service, seq, err)
			}
			seen = max(seen, seq)
			_ = m.DoubleAck(w.t.Context()) // without an answer, it comes again
		}
		if seen < n {
			return fmt.Errorf("%d came", seen)
		}
		return nil
	})
}
