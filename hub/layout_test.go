package hub_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// streams are the names of all streams.
func (w *world) streams() []string {
	w.t.Helper()
	var names []string
	list := w.js.StreamNames(w.t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		w.t.Fatal(err)
	}
	return names
}

// replicated waits until every stream and every consumer of the hub's has n replicas, all
// up to date.
func (w *world) replicated(n int) {
	w.t.Helper()
	names := w.streams()
	for _, name := range []string{contract.StreamIngest, contract.StreamDLQ, contract.StreamLedger, contract.StreamMembers, contract.StreamAdvisories, "KV_REPLHUB", "SUB_s", "SUB_k"} {
		if !slices.Contains(names, name) {
			w.t.Fatalf("no stream %s among %v", name, names)
		}
	}
	for _, name := range names {
		w.eventually(fmt.Sprintf("%d replicas of %s", n, name), func() error {
			s, err := w.js.Stream(w.t.Context(), name)
			if err != nil {
				return err
			}
			info := s.CachedInfo()
			if err := hasReplicas(info.Config.Replicas, info.Cluster, n); err != nil {
				return err
			}
			list := s.ListConsumers(w.t.Context())
			var wrong error
			for c := range list.Info() { // to its end, where its goroutine ends
				if c.Config.Durable != "" {
					wrong = errors.Join(wrong, hasReplicas(max(c.Config.Replicas, n), c.Cluster, n))
				}
			}
			return errors.Join(wrong, list.Err())
		})
	}
}

func hasReplicas(configured int, c *jetstream.ClusterInfo, n int) error {
	if configured != n || c == nil || c.Leader == "" || len(c.Replicas) != n-1 {
		return fmt.Errorf("%d replicas are configured, and there are %+v", configured, c)
	}
	for _, r := range c.Replicas {
		if !r.Current {
			return fmt.Errorf("%s is not current", r.Name)
		}
	}
	return nil
}

// Streams and consumers that exist get the replicas that a hub is started with, under
// load, up and down again. Nothing is lost, copied twice or delivered again.
func TestReplicasOfWhatExists(t *testing.T) {
	t.Parallel() // it waits for elections most of the time
	w := newCluster(t)
	as := func(replicas int) func(*hub.Config) {
		return func(c *hub.Config) { c.Replicas = replicas; soonStuck(c) }
	}
	stop := w.startHub(as(1))
	w.register("s", `{"entities":["user"]}`)
	w.register("k", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	w.users(0, 40)
	w.consume("s", "workers", 30)
	w.replicated(1)
	stop()
	published := 40
	for _, replicas := range []int{3, 1} {
		stop := w.startHub(as(replicas))
		count := w.load(published)
		w.replicated(replicas)
		published = count()
		checkSequences(t, "s", w.copies("s", published), 1)
		stop()
	}
	w.startHub(as(1))
	if first := seqsOf(w.consume("s", "workers", 1))[0]; first != 31 {
		t.Errorf("behind what was acknowledged, 30, comes %d", first)
	}
}

// A hub that cannot give the streams their replicas works, and names them.
func TestReplicasThatNoServerHas(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	stop()
	o := w.observe(nil, quickly, func(c *hub.Config) { c.Replicas = 3 })
	o.awaitHealth(w, http.StatusOK, "stream DB does not have its replicas and its place yet (replicas: 3)")
	w.users(0, 1)
	w.copies("s", 1)
}

// The streams of a hub go where ingest is put, and a new lane begins there.
func TestStreamsFollowThePlaceOfIngest(t *testing.T) {
	t.Parallel()
	w := clusterWorld(t, cluster.StartNATSCluster(t, 3, cluster.NATSTags("a", "b", "b")))
	o := w.observe(nil, soonStuck, func(c *hub.Config) { c.Replicas = 1 })
	w.register("s", `{"entities":["user"]}`)
	w.users(0, 100)
	on := func(server string) {
		t.Helper()
		for _, name := range w.streams() {
			w.eventually(name+" on "+server, func() error {
				s, err := w.js.Stream(t.Context(), name)
				if err != nil {
					return err
				}
				if c := s.CachedInfo().Cluster; c.Leader != server {
					return fmt.Errorf("it is on %+v", c)
				}
				return nil
			})
		}
	}
	cfg := w.stream(contract.StreamIngest).CachedInfo().Config
	cfg.Placement = &jetstream.Placement{Tags: []string{"a"}}
	if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	on("n1")
	w.eventually("another lane", func() error {
		return w.call("replhub.register.t", `{"interests":[{"entity":"user","start":"all"}]}`, nil)
	})
	on("n1")
	w.eventually("all to be as it should", func() error {
		if code, health := readyz(t, o.Hub); code != http.StatusOK || len(health.Degraded) > 0 {
			return errors.New(fmt.Sprint(code, health.Degraded))
		}
		return nil
	})
	checkSequences(t, "t", w.copies("t", 100), 1)
	checkSequences(t, "s", w.copies("s", 100), 1)
}
