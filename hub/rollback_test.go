package hub_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// ingestFolder is where the server keeps the ingest stream.
func (w *world) ingestFolder() string {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(w.dir, "jetstream", "*", "streams", contract.StreamIngest))
	if err != nil || len(found) != 1 {
		w.t.Fatalf("ingest's folder: %v %v", found, err)
	}
	return found[0]
}

// losing stops the hub, and has an unsynced power loss take all events that ingest stores
// in lost, at whose end no hub runs.
func (w *world) losing(stop, lost func()) {
	w.t.Helper()
	stop()
	w.stopServer()
	backup := filepath.Join(w.t.TempDir(), "ingest")
	if err := os.CopyFS(backup, os.DirFS(w.ingestFolder())); err != nil {
		w.t.Fatal(err)
	}
	w.startServer()
	lost()
	w.stopServer()
	folder := w.ingestFolder()
	if err := os.RemoveAll(folder); err != nil {
		w.t.Fatal(err)
	}
	if err := os.CopyFS(folder, os.DirFS(backup)); err != nil {
		w.t.Fatal(err)
	}
	w.startServer()
	w.eventually("the server", func() error {
		_, err := w.js.Stream(w.t.Context(), contract.StreamIngest)
		return err
	})
}

// An unsynced power loss takes ingest's newest events, and the server uses
// their sequences again.
func TestIngestRolledBackBeginsAnEpoch(t *testing.T) {
	for _, more := range []int{30, 80} { // the lost sequences used again in part, and all of them
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			w := newWorld(t)
			stop := w.startHub()
			w.register("s", `{"entities":["user"]}`)
			w.register("t", `{"entities":["tenant"]}`)
			if err := w.publishAll(t.Context(), "user", 50); err != nil {
				t.Fatal(err)
			}
			w.copies("s", 50)
			w.losing(stop, func() {
				stop = w.startHub()
				for range 50 {
					w.publish("db.user.update", `{"id":"lost"}`)
				}
				w.copies("s", 100)
				stop()
			})
			for i := range more {
				w.publish("db.user.update", fmt.Sprintf(`{"id":"after-%d"}`, i))
			}
			w.startHub()
			copies := w.copies("s", 100+more)
			for i, m := range copies[100:] {
				if got, want := m.Header.Get("Replhub-Position"), fmt.Sprintf("2-%d", 51+i); got != want {
					t.Fatalf("copy %d behind the break is event %s, want %s", i, got, want)
				}
			}
			w.publish("db.tenant.update", `{"id":"1"}`)
			w.copies("t", 1)
		})
	}
}

// A lane without an interest reads no events. An interest that it gets begins behind what
// was lost all the same, at positions that no copy had before.
func TestLaneWithoutAnInterestNoticesARollback(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	w.losing(stop, func() {
		stop = w.startHub()
		w.publish("db.user.update", `{"id":"1"}`)
		w.copies("s", 2)
		if err := w.call("replhub.unregister.s", `{}`, nil); err != nil {
			t.Fatal(err)
		}
		stop()
	})
	w.publish("db.user.update", `{"id":"1"}`)
	w.startHub()
	w.register("s", `{"interests":[{"entity":"user","start":"all"}]}`)
	copies := w.copies("s", 4)
	if got := copies[3].Header.Get("Replhub-Position"); got != "2-2" {
		t.Errorf("the event behind the lost one is %s, want 2-2", got)
	}
}

func TestFillGoesOnAfterRestarts(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["tenant"]}`)
	if err := w.publishAll(t.Context(), "user", 3000); err != nil {
		t.Fatal(err)
	}
	if err := w.publishAll(t.Context(), "tenant", 10); err != nil {
		t.Fatal(err)
	}
	w.copies("s", 10)
	stop()
	w.startHub()
	w.register("s", `{"interests":[{"entity":"user","start":"all"}]}`)
	for range 3 {
		// A hub that is stopped as soon as it has filled a little.
		filling := make(chan struct{}, 1)
		stop := w.startHub(func(c *hub.Config) {
			c.OwnAll = true
			c.Failpoint = func(step string) {
				select {
				case filling <- struct{}{}:
				default:
				}
			}
		})
		select {
		case <-filling:
		case <-time.After(time.Second): // the other one was faster
		}
		stop()
	}
	copies := w.copies("s", 3010)
	checkSequences(t, "s", copies[10:], 1)
}

func TestLaneThatPinsAFullIngestIsDetached(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil, func(c *hub.Config) {
		c.IngestMaxBytes, c.History, c.TrimGuard, c.TrimEvery = 2<<20, 1, 1, 50_000_000
	})
	w.register("dead", `{"entities":["user"],"max_bytes":100000}`)
	w.register("alive", `{"entities":["user"]}`)
	pad := make([]byte, 10_000)
	for i := range pad {
		pad[i] = 'x'
	}
	const events = 400 // twice what ingest holds
	for i := range events {
		w.eventually("ingest to take an event", func() error {
			_, err := w.js.Publish(t.Context(), "db.user.update", fmt.Appendf(nil, `{"id":"%d","pad":"%s"}`, i, pad))
			return err
		})
	}
	var status contract.LaneStatus
	if err := w.call("replhub.describe.dead", "", &status); err != nil {
		t.Fatal(err)
	}
	if status.State != contract.LaneDetached {
		t.Errorf("state %s", status.State)
	}
	if label := `replhub_lane_trouble{reason="ingest_full",service="dead",state="detached"}`; o.metrics()[label] != 1 {
		t.Errorf("no metric %s", label)
	}
	w.copies("alive", events)
}
