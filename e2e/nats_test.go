package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/e2e/judge"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// TestNATSKilled kills the nats-server under load and starts it again, with each registry and
// each sync setting.
func TestNATSKilled(t *testing.T) {
	for _, registry := range registries() {
		t.Run(registry, func(t *testing.T) {
			var options []cluster.NATSOption
			if registry == harness.ZooKeeper {
				options = append(options, cluster.NATSSyncAlways())
			}
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 31, NATS: options})
			w.StartHub("h1")
			w.Register("plain", want("user"), want("tenant"))
			w.Register("filtered", acmeOnly("user"))
			w.Register("projected", withoutSecret("tenant"))
			writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
			kills := times(4, 40)
			for i := range kills {
				w.AwaitAcked(200, settleWithin)
				w.NATS.Kill()
				if i%2 == 1 {
					w.Let(500 * time.Millisecond)
				}
				w.NATS.Start()
				w.Register("changing", []harness.Want{acmeOnly("user"), want("user")}[i%2])
			}
			w.AwaitAcked(200, settleWithin)
			writers.Stop()
			w.Finish("nats-server killed", kills, settleWithin)
		})
	}
}

// settled waits until lanes have copied all there is, before something is
// taken away.
func settled(w *harness.World, scenario string) {
	w.Finish(scenario+": before", 0, settleWithin)
}

// inEpoch are the stored events of ingest as it is now, in an epoch, from a
// sequence on.
func inEpoch(w *harness.World, epoch, from uint64) []judge.Event {
	events := w.Events(epoch)
	return events[from-1:]
}

// TestIngestDeleted deletes ingest, once while the hub runs and once while it
// does not: a new epoch begins each time, and nothing published since is lost.
func TestIngestDeleted(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 32})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.Register("filtered", acmeOnly("user"))
	w.Publish(harness.Load{}, 500)
	settled(w, "ingest deleted")
	events := inEpoch(w, 1, 1)

	deleteIngest(t, w)
	w.Publish(harness.Load{}, 700) // more than there were
	events = append(events, inEpoch(w, 2, 1)...)
	w.FinishEvents("ingest deleted: hub running", 1, settleWithin, events)
	if got := w.Describe("plain").Epoch; got != 2 {
		t.Errorf("epoch %d, want 2", got)
	}

	hub.Kill()
	deleteIngest(t, w)
	hub.Start()
	w.Publish(harness.Load{}, 300) // fewer than there were
	events = append(events, inEpoch(w, 3, 1)...)
	w.FinishEvents("ingest deleted: hub away", 1, settleWithin, events)
	reply := w.Register("late", from("all", want("user")))
	if reply.Epoch != 3 || reply.Since["user"] != 1 {
		t.Errorf("reply %+v", reply)
	}
	w.FinishEvents("ingest deleted: a late service", 0, settleWithin, events)
}

func deleteIngest(t *testing.T, w *harness.World) {
	t.Helper()
	if err := w.JS.DeleteStream(t.Context(), contract.StreamIngest); err != nil {
		t.Fatal(err)
	}
	w.Renew(contract.StreamIngest)
}

// TestIngestRolledBack puts an older copy of ingest's folder in its place, as a
// power loss does that takes what was not synced: its last sequences are used
// again, for other events.
func TestIngestRolledBack(t *testing.T) {
	for _, c := range []struct {
		name string
		more int // events published afterwards, against 300 that are lost
	}{{"and refilled", 500}, {"and hardly refilled", 20}} {
		t.Run(c.name, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Seed: 33})
			w.StartHub("h1")
			w.Register("plain", want("user"), want("tenant"))
			w.Register("filtered", acmeOnly("user"))
			w.Register("rare", want("seldom"))
			w.Publish(harness.Load{}, 400)
			settled(w, "ingest rolled back")

			folder := filepath.Join(w.NATS.StoreDir(), "jetstream", "$G", "streams", contract.StreamIngest)
			older := filepath.Join(t.TempDir(), "copy")
			w.NATS.Stop()
			copyFolder(t, older, folder)
			w.NATS.Start()
			kept := w.LastSeq("")
			w.Publish(harness.Load{}, 300)
			settled(w, "ingest rolled back")
			events := inEpoch(w, 1, 1)

			w.NATS.Stop()
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
			copyFolder(t, folder, older)
			w.NATS.Start()
			if got := w.LastSeq(""); got != kept {
				t.Fatalf("ingest ends at %d, want %d: the older copy is not in place", got, kept)
			}
			w.Renew(contract.StreamIngest)
			w.Publish(harness.Load{}, c.more)
			events = append(events, inEpoch(w, 2, kept+1)...)
			w.FinishEvents("ingest rolled back "+c.name, 1, settleWithin, events)
		})
	}
}

func copyFolder(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
