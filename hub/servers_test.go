package hub_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// oldestServer is the oldest release of nats-server with which the hub works.
const oldestServer = "v2.12.0"

// serverVersions are the releases on which the hub is tried: the oldest one, and the one
// in go.mod (""). REPLHUB_NATS_VERSIONS names others, separated by commas; "task servers"
// does that.
func serverVersions() []string {
	if list := os.Getenv("REPLHUB_NATS_VERSIONS"); list != "" {
		return strings.Split(list, ",")
	}
	return []string{oldestServer, ""}
}

// A hub does all of its work on each release by itself.
func TestHubOnEveryServer(t *testing.T) {
	t.Parallel()
	for _, version := range serverVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := worldOn(t, cluster.StartNATS(t, cluster.NATSVersion(version)))
			o := wholeWork(w)
			w.server.Stop()
			w.server.Start()
			afterRestart(w, o)
		})
	}
}

// In a cluster of several releases the oldest one says what the hub may use.
func TestHubOnMixedServers(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 3, cluster.NATSVersions(mixedVersions()...))
	w := clusterWorld(t, servers)
	// With its replicas from the start, as replhub serve makes it: they do not change among
	// different servers.
	w.eventually("all servers to be there for the bucket", func() error {
		_, err := w.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: contract.BucketRegistry, Replicas: 3})
		return err
	})
	o := wholeWork(w)
	for _, node := range servers.Nodes {
		node.Stop()
		node.Start()
		servers.WaitReady()
	}
	afterRestart(w, o)
	w.replicated(3)
	// A server of 2.12 does not take up a stream with fast ingest.
	old := slices.ContainsFunc(mixedVersions(), func(v string) bool { return strings.HasPrefix(v, "v2.12.") })
	if batches := w.stream(contract.StreamIngest).CachedInfo().Config.AllowBatchPublish; batches == old {
		t.Errorf("ingest has fast ingest: %v, among %q", batches, mixedVersions())
	}
}

// mixedVersions are those of the three nodes, of which a client asks the first one first.
func mixedVersions() []string {
	if list := os.Getenv("REPLHUB_NATS_MIXED"); list != "" {
		return strings.Split(list, ",")
	}
	return []string{"", oldestServer, ""}
}

// wholeWork has a hub do each kind of work: lanes of each kind, a fill, a dead letter and
// its redrive, a rewind, a pause, a queue ordered by key.
func wholeWork(w *world) observed {
	w.t.Helper()
	o := w.observe(nil, quickly)
	w.register("s", `{"entities":["user"]}`)
	w.register("filtered", `{"interests":[{"entity":"user","filter":"data.id == '7'","fields":["id"]}]}`)
	w.register("k", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	w.users(0, 300)
	w.publish("db.user.update", `not JSON`)
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	checkSequences(w.t, "s", w.copies("s", 301), 1)
	checkSequences(w.t, "late", w.copies("late", 301), 1)
	w.copies("filtered", 1)
	w.letters(1)
	for p := range 2 {
		w.consumePinned("k", p, w.pending("k", p))
	}
	w.consume("s", "workers", 301)
	w.do("rewind.s", `{"to":300}`)
	if first := seqsOf(w.consume("s", "workers", 1))[0]; first != 300 {
		w.t.Errorf("after a rewind to 300 comes %d", first)
	}
	w.do("redrive.filtered", `{"all":true}`)
	w.do("pause.k", `{"for":"1h"}`)
	w.do("resume.k", `{}`)
	w.do("unregister.late", `{}`)
	w.do("drop.late", `{}`)
	return o
}

// do has a verb done. In a cluster an answer can be lost with a leader.
func (w *world) do(verb, request string) {
	w.t.Helper()
	w.eventually(verb, func() error { return w.call("replhub."+verb, request, nil) })
}

// afterRestart has the hub go on when each server was restarted.
func afterRestart(w *world, o observed) {
	w.t.Helper()
	for i := 300; i < 400; i++ {
		w.eventually("an event to be acknowledged", func() error {
			return w.publishOnce(fmt.Sprintf("id-%d", i), "db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
		})
	}
	checkSequences(w.t, "s", w.copies("s", 401), 1)
	w.eventually("every lane to be live", func() error {
		var services contract.Services
		if err := w.call("replhub.services", `{}`, &services); err != nil {
			return err
		}
		for i := range services.Services {
			if s := &services.Services[i]; s.State != contract.LaneLive {
				return fmt.Errorf("%s is %s: %s", s.Service, s.State, s.Reason)
			}
		}
		return nil
	})
	w.eventually("nothing to be degraded", func() error {
		if code, health := readyz(w.t, o.Hub); code != http.StatusOK || len(health.Degraded) > 0 {
			return fmt.Errorf("%d %q", code, health.Degraded)
		}
		return nil
	})
}
