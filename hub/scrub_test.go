package hub_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// soonReviewed has a hub look often where the workers stand, and review its lanes often.
func soonReviewed(c *hub.Config) {
	c.TrimEvery, c.StuckAfter, c.ScrubEvery = 50*time.Millisecond, 600*time.Millisecond, 100*time.Millisecond
}

// asked waits until a hub has sent some more requests with a subject.
func (w *world) asked(subject string, times int) {
	w.t.Helper()
	sub, err := w.nc.SubscribeSync(subject)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for range times {
		if _, err := sub.NextMsg(w.patience); err != nil {
			w.t.Fatalf("no request %s: %v", subject, err)
		}
	}
}

// reviewed waits until a hub has reviewed a lane, and so knows where its workers stand.
func (w *world) reviewed(service string) {
	w.t.Helper()
	w.asked("$JS.API.CONSUMER.CREATE.SUB_"+service+".>", 2)
}

// state is that of a lane.
func (w *world) state(service string) contract.LaneStatus {
	w.t.Helper()
	status, err := w.describe(service)
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

// handled are the ids in copies that a worker took.
func handled(copies []jetstream.Msg) (ids []string) {
	for _, m := range copies {
		ids = append(ids, m.Headers().Get(contract.HeaderKey))
	}
	return ids
}

// A bit of a copy flips, or a file within the lane is cut, while the server is stopped. The
// server's consumer passes over the copies, and workers process all others before the hub
// looks. The lane is detached nevertheless, and the service begins again.
func TestDamagedCopyDetachesItsLane(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(*cluster.NATS)
		change func([]byte) []byte
		fill   int // bytes of an event: two files, so that the first ends within the lane
	}{
		"flipped": {(*cluster.NATS).Stop, flipIn(`{"id":"n21"`), 0},
		"cut":     {(*cluster.NATS).Kill, cutAt(`{"id":"n11"`), 300_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.startHub(soonReviewed)
			w.register("s", `{"entities":["user"]}`)
			const events = 40
			for i := 1; i <= events; i++ {
				w.publish("db.user.update", fmt.Sprintf(`{"id":"n%d","fill":%q}`, i, strings.Repeat("x", c.fill)))
			}
			w.copies("s", events)
			w.reviewed("s")
			c.end(w.server)
			w.damage(w.laneDir("s"), c.change)
			w.startServer()
			taken := len(w.consumeAll("s", "workers"))
			if taken == events {
				t.Fatal("the server has all copies")
			}
			w.awaitState("s", contract.LaneDetached)
			status := w.state("s")
			if !strings.Contains(status.Reason, "the server has lost copies ") {
				t.Errorf("detached: %s", status.Reason)
			}
			if refusal := asRefusal(t, w.call("replhub.register.s", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeDetached {
				t.Errorf("refused with %v", refusal)
			}
			w.register("s", `{"interests":[{"entity":"user","start":"all"}]}`)
			var want []string
			for i := 1; i <= events; i++ {
				want = append(want, fmt.Sprintf("n%d", i))
			}
			if got := handled(w.consume("s", "workers", events)); !slices.Equal(got, want) {
				t.Errorf("begun again: %v", got)
			}
			w.reviewed("s")
			if now := w.state("s"); now.State != contract.LaneLive {
				t.Errorf("%s: %s", now.State, now.Reason)
			}
		})
	}
}

// consumeAll takes and acknowledges the copies that a consumer delivers, until it has none.
func (w *world) consumeAll(service, consumer string) (got []jetstream.Msg) {
	w.t.Helper()
	w.eventually("the workers", func() error {
		c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, consumer)
		if err != nil {
			return err
		}
		batch, err := c.FetchNoWait(1000)
		if err != nil {
			return err
		}
		before := len(got)
		for m := range batch.Messages() {
			if err := m.DoubleAck(w.t.Context()); err != nil {
				return err
			}
			got = append(got, m)
		}
		if len(got) > before || len(got) == 0 {
			return errors.New("there may be more")
		}
		return batch.Error()
	})
	return got
}

// The end of a lane is cut, and the hub copies the events again. Neither this hub nor one that
// starts later takes the place for lost copies.
func TestLaneThatWasCopiedAgainIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.startHub(soonReviewed)
	w.register("s", `{"entities":["user"]}`)
	w.ids(1, 40)
	w.copies("s", 40)
	w.reviewed("s")
	w.server.Stop()
	w.damage(w.laneDir("s"), cutAt(`{"id":"n21"}`))
	w.startServer()
	w.ids(41, 50)
	checkSequences(t, "s", w.copies("s", 50), 1)
	w.reviewed("s")
	stop()
	w.startHub(soonReviewed)
	w.reviewed("s")
	if now := w.state("s"); now.State != contract.LaneLive {
		t.Errorf("%s: %s", now.State, now.Reason)
	}
}

// A copy that may have been processed before it was damaged detaches nothing, and is named.
// So is a dead letter.
func TestDamageThatMayNotMatterIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"interests":[{"entity":"user","filter":"data.n > 1"}],"queue":{"max_deliver":1}}`)
	w.publish("db.user.update", `not JSON`)
	for i := 1; i <= 9; i++ {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"n%d","n":5}`, i))
	}
	w.consume("s", "workers", 9)
	stop()
	w.server.Stop()
	w.damage(w.laneDir("s"), flipIn(`{"id":"n5"`))
	w.damage(strings.Replace(w.laneDir("s"), "SUB_s", contract.StreamDLQ, 1), flipIn("Replhub-Reason"))
	w.startServer()
	w.startHub(soonReviewed)
	w.eventually("both to be named", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		all := strings.Join(status.Degraded, "\n")
		if !strings.Contains(all, "lane s: the server has lost copies ") || !strings.Contains(all, "cannot read messages 1 of stream DLQ") {
			return errors.New(all)
		}
		return nil
	})
	if now := w.state("s"); now.State != contract.LaneLive {
		t.Errorf("%s: %s", now.State, now.Reason)
	}
}

// One of three servers cannot read a copy that the others have. The lane goes on, and the
// server is named, until it has the copy again.
func TestDamagedReplicaIsNamed(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 3)
	w := clusterWorld(t, servers)
	w.startHub(soonReviewed)
	w.register("s", `{"entities":["user"]}`)
	w.ids(1, 30)
	w.copies("s", 30)
	node := servers.Nodes[2]
	flip := func() {
		node.Stop()
		w.damage(filepath.Join(node.StoreDir(), "jetstream", "$G", "streams", "SUB_s"), func(b []byte) []byte {
			if i := bytes.Index(b, []byte(`{"id":"n21"`)); i >= 0 { // else it is flipped
				b[i+1] ^= 1
			}
			return b
		})
		node.Start()
	}
	flip()
	named := "server " + node.Name() + " cannot read copies "
	degraded := func() (string, error) {
		var status contract.Status
		err := w.call("replhub.status", "", &status)
		return strings.Join(status.Degraded, "\n"), err
	}
	since := time.Now()
	w.eventually("the server to be named", func() error {
		all, err := degraded()
		if err == nil && !strings.Contains(all, named) {
			err = errors.New(all)
		}
		// A server that was not stopped in time looks at its files when it starts, and gets
		// what is damaged from the others.
		if err != nil && time.Since(since) > 8*time.Second {
			flip()
			since = time.Now()
		}
		return err
	})
	// Reviews begin behind what is processed from now on, and look at what is named also then.
	w.eventually("the workers to have processed all that they get", func() error {
		c, err := w.js.Consumer(t.Context(), "SUB_s", contract.ConsumerWorkers)
		if err != nil {
			return err
		}
		batch, err := c.FetchNoWait(30)
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			_ = m.Ack()
		}
		info, err := c.Info(t.Context())
		if err == nil && info.NumPending+uint64(info.NumAckPending) > 0 {
			err = fmt.Errorf("%d more", info.NumPending)
		}
		return err
	})
	node.Stop()
	node.RemoveStore()
	node.Start()
	w.eventually("the server to be whole", func() error {
		all, err := degraded()
		if err == nil && strings.Contains(all, named) {
			err = errors.New(all)
		}
		return err
	})
	if now := w.state("s"); now.State != contract.LaneLive {
		t.Errorf("%s: %s", now.State, now.Reason)
	}
}
