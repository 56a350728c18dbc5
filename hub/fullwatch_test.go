package hub_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// fillIngest publishes until ingest is nearly full.
func (w *world) fillIngest() {
	w.t.Helper()
	pad := strings.Repeat("x", 20_000)
	for w.stream("DB").CachedInfo().State.Bytes < 1_950_000 {
		w.publish("db.user.update", `{"id":"1","x":"`+pad+`"}`)
	}
}

// An ingest that is nearly full says so, with the lane that pins it and what to do,
// and says when there is room again; each once.
func TestFullIngestNamesTheLaneThatPinsIt(t *testing.T) {
	w := newWorld(t)
	var log logged
	o := w.observe(nil, log.into, func(c *hub.Config) {
		c.IngestMaxBytes, c.OnFull, c.TrimEvery = 2<<20, hub.OnFullRefuse, 50*time.Millisecond
		c.History, c.TrimGuard, c.DedupeWindow = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	})
	w.register("healthy", `{"entities":["user"]}`)
	w.register("dead", `{"entities":["user"],"max_bytes":65536}`)
	w.fillIngest()
	o.awaitHealth(w, http.StatusOK, "the lane of dead has not got on since")
	o.awaitHealth(w, http.StatusOK, "REPLHUB_INGEST_MAX_BYTES")
	var status contract.Status
	if err := w.call("replhub.status", "", &status); err != nil {
		t.Fatal(err)
	}
	if full := status.Ingest.Full; full == nil || full.By != contract.FullByLane || full.Service != "dead" || full.Pinned == nil || full.Since.IsZero() {
		t.Errorf("status says %+v", full)
	}
	if got := o.metrics()[`replhub_ingest_full{by="lane",service="dead"}`]; got != 1 {
		t.Errorf("metric %v", got)
	}
	if err := w.call("replhub.unregister.dead", "", nil); err != nil {
		t.Fatal(err)
	}
	w.eventually("ingest to have room", func() error {
		if _, health := readyz(t, o.Hub); strings.Contains(strings.Join(health.Degraded, "\n"), "ingest is nearly full") {
			return fmt.Errorf("%v", health.Degraded)
		}
		return nil
	})
	if n := log.count("level=WARN", "ingest is nearly full", "by=lane"); n != 1 || log.count("ingest has room again") != 1 {
		t.Errorf("%d warnings and %d ends:\n%s", n, log.count("ingest has room again"), log.text())
	}
}

// What is too young to go is nobody's lane's fault.
func TestFullIngestOfYoungEvents(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil, func(c *hub.Config) { c.IngestMaxBytes, c.TrimEvery = 2<<20, 50*time.Millisecond })
	w.register("healthy", `{"entities":["user"]}`)
	w.fillIngest()
	o.awaitHealth(w, http.StatusOK, "younger than the 10m0s")
}
