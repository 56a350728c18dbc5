package hub_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/wire"
)

// A lane whose only server is away cannot say where it stands. The server's list of
// streams leaves it out, but it is not gone: ingest keeps what it needs, the operator
// is told, and may give it up.
func TestLaneWithoutAServerKeepsItsEvents(t *testing.T) {
	t.Parallel() // it waits for elections most of the time
	w := newCluster(t)
	o := w.observe(nil, func(c *hub.Config) {
		eager(c)
		c.OnFull = hub.OnFullRefuse
	})
	for _, service := range []string{"lone", "lost", "other"} {
		w.register(service, `{"entities":["user"],"max_bytes":65536}`)
	}
	node := w.moveToOneServer("SUB_lone", "SUB_lost")
	const events = 600
	other := w.drain("other")
	w.publishInTurn("user", events)
	other(events)
	w.awaitState("lone", wire.LaneStalled)

	w.nodes.Node(node).Kill()
	o.awaitHealth(w, http.StatusOK, "where lane lone stands cannot be read")
	o.awaitHealth(w, http.StatusOK, "where lane lost stands cannot be read")
	w.publishInTurn("user", 10)
	other(events + 10)
	w.eventually("a lane to be given up", func() error { return w.call("replhub.drop.lost", `{"lost":true}`, nil) })
	if refusal := asRefusal(t, w.call("replhub.drop.other", `{"lost":true}`, nil)); refusal.Code != wire.CodeInUse {
		t.Errorf("giving up a lane that can be read: %v", refusal)
	}
	if first := w.stream(wire.StreamIngest).CachedInfo().State.FirstSeq; first > events/2 {
		t.Errorf("ingest was trimmed up to event %d, past what the lane without a server needs", first)
	}
	w.nodes.Start()
	w.drain("lone")(events + 10)
	o.awaitFine(w)
}

// drain has a worker take a service's copies. The function that it returns waits
// until the copies of the first n events have come, each once and in order.
func (w *world) drain(service string) func(n int) {
	w.t.Helper()
	seen := 0
	return func(n int) {
		w.t.Helper()
		for seen < n {
			for _, m := range w.consume(service, "workers", 10) {
				seen++
				if got := m.Headers().Get(wire.HeaderSeq); got != fmt.Sprint(seen) {
					w.t.Fatalf("copy %d for %s is event %s", seen, service, got)
				}
			}
		}
	}
}

// moveToOneServer has streams live on one server only, which leads nothing that the
// hub cannot do without, and returns the server's name.
func (w *world) moveToOneServer(streams ...string) (node string) {
	w.t.Helper()
	leader := w.nodes.MetaLeader(w.t.Context())
	for _, n := range w.nodes.Nodes[1:] { // the clients are connected to the first
		if n != leader {
			node = n.Name()
		}
	}
	for name := range w.js.StreamNames(w.t.Context()).Name() {
		there := slices.Contains(streams, name)
		w.eventually(fmt.Sprintf("%s to be led by %s: %v", name, node, there), func() error {
			s, err := w.js.Stream(w.t.Context(), name)
			if err != nil {
				return err
			}
			if at := s.CachedInfo().Cluster.Leader; (at == node) != there {
				to := w.nodes.Nodes[0].Name()
				if there {
					to = node
				}
				request := fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, to)
				_, err := w.nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+name, request, time.Second)
				return fmt.Errorf("led by %s: %w", at, err)
			}
			return nil
		})
	}
	for _, name := range streams {
		w.eventually("one replica of "+name, func() error {
			s, err := w.js.Stream(w.t.Context(), name)
			if err != nil {
				return err
			}
			info := s.CachedInfo()
			if info.Config.Replicas > 1 {
				info.Config.Replicas = 1
				if _, err := w.js.UpdateStream(w.t.Context(), info.Config); err != nil {
					return err
				}
			}
			if n := len(info.Cluster.Replicas); n > 0 || info.Cluster.Leader != node {
				return fmt.Errorf("%d replicas beside %q", n, info.Cluster.Leader)
			}
			return nil
		})
	}
	return node
}

// publishInTurn publishes events one after the other, each until it is acknowledged.
func (w *world) publishInTurn(entity string, n int) {
	w.t.Helper()
	for range n {
		w.published++
		id := fmt.Sprintf("turn-%d", w.published)
		w.eventually("an event to be acknowledged", func() error {
			_, err := w.js.Publish(w.t.Context(), "db."+entity+".update", fmt.Appendf(nil, `{"id":"%d","pad":"%0100d"}`, w.published, 0), jetstream.WithMsgID(id))
			return err
		})
	}
}
