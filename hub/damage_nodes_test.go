//go:build long

package hub_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// One of three nodes has a damaged file, under load: of ingest, of a lane, of the log of a
// stream, of the meta layer. It starts, is given the leadership, and gives it away again.
// No event is lost, and none comes twice.
func TestDamagedNode(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 3)
	w := clusterWorld(t, servers)
	w.pair()
	stop := w.load(0)
	damaged := 0
	for i, pattern := range []string{
		"jetstream/$G/streams/DB/msgs/*.blk", "jetstream/$G/streams/SUB_s/msgs/*.blk", "jetstream/$SYS/_js_/S-R3F-*/msgs/*.blk",
		"jetstream/$SYS/_js_/_meta_/msgs/*.blk", "jetstream/$SYS/_js_/_meta_/snapshots/*", "jetstream/$SYS/_js_/S-R3F-*/snapshots/*",
	} {
		for j, change := range []func([]byte) []byte{
			func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			func(b []byte) []byte { return b[:len(b)/2] },
		} {
			node := servers.Nodes[(i+j)%3]
			if j == 0 {
				node.Stop()
			} else {
				node.Kill()
			}
			n := damageFiles(t, filepath.Join(node.StoreDir(), pattern), change)
			t.Logf("CLUSTER damage: %s of %s: %d files", pattern, node.Name(), n)
			damaged += n
			if err := node.TryStart(20 * time.Second); err != nil {
				// The operator's remedy for a server that does not start: without its store,
				// it gets everything from the other ones.
				t.Logf("CLUSTER damage: %s starts again without its store: %v", node.Name(), err)
				dump(t, node)
				node.RemoveStore()
				node.Start()
			}
			servers.WaitReady()
			w.replicated(3)
			w.lead(node.Name(), contract.StreamIngest, "SUB_s", "SUB_k")
			w.eventually("a registration", func() error {
				return w.call(fmt.Sprintf("replhub.register.late-%d-%d", i, j), `{"interests":[{"entity":"user","start":"all"}]}`, nil)
			})
			w.stepDown(contract.StreamIngest, "SUB_s", "SUB_k")
		}
	}
	n := stop()
	began := time.Now()
	for _, service := range []string{"s", "k", "late-0-0", "late-0-1", "late-5-1"} {
		checkSequences(t, service, w.copies(service, n), 1)
	}
	t.Logf("CLUSTER damage: %d files, %d events, 0 lost, 0 repeated, drained %s after the last fault", damaged, n, time.Since(began).Round(time.Millisecond))
}

// dump ends a server so that it says what it was doing.
func dump(t *testing.T, node *cluster.NATS) {
	t.Helper()
	if !node.Running() {
		return
	}
	if err := syscall.Kill(node.PID(), syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	node.Kill()
	if to := os.Getenv("REPLHUB_DUMP"); to != "" {
		log, err := os.ReadFile(filepath.Join(filepath.Dir(node.StoreDir()), "nats-server.log"))
		if err == nil {
			err = os.WriteFile(to, log, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// damageFiles changes the files of a pattern, while their server is stopped.
func damageFiles(t *testing.T, pattern string, change func([]byte) []byte) (n int) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) < 2 {
			continue
		}
		if err := os.WriteFile(path, change(data), 0o600); err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// lead has a server lead streams, if it can.
func (w *world) lead(server string, streams ...string) {
	w.t.Helper()
	for _, name := range streams {
		request, err := json.Marshal(map[string]any{"placement": map[string]string{"preferred": server}})
		if err != nil {
			w.t.Fatal(err)
		}
		// Refused while an election is under way, and where the server is not current.
		_, _ = w.nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+name, request, 2*time.Second)
	}
}

// The leaders of all streams are moved every half second, and the nodes are killed in turn,
// while two hubs copy.
func TestLeadersMoveAllTheTime(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 3)
	w := clusterWorld(t, servers)
	w.pair()
	stop := w.load(0)
	moved := 0
	began := time.Now()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	move := func(until time.Time) {
		for time.Now().Before(until) {
			<-tick.C
			w.stepDown(contract.StreamIngest, contract.StreamLedger, contract.StreamDLQ, "SUB_s", "SUB_k")
			moved += 5
		}
	}
	kills := 0
	for range 2 {
		for _, node := range servers.Nodes {
			move(time.Now().Add(2 * time.Second))
			node.Kill()
			kills++
			move(time.Now().Add(2 * time.Second))
			node.Start()
			w.replicated(3) // a second node may die only when this one has its replicas back
		}
	}
	took := time.Since(began)
	n := stop()
	healed := time.Now()
	for _, service := range []string{"s", "k"} {
		checkSequences(t, service, w.copies(service, n), 1)
	}
	t.Logf("CLUSTER leaders moved: %d step-downs and %d kills in %s, %d events, 0 lost, 0 repeated, drained %s after the last fault",
		moved, kills, took.Round(time.Second), n, time.Since(healed).Round(time.Millisecond))
}

// A power loss takes what two of three nodes had not synced. What they stored after the copy
// may be lost, also if it was acknowledged; sync_interval: always is what keeps it. The lanes
// go on behind it, in one order, and nothing that is published later is lost or repeated.
func TestMajorityIsRolledBack(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 3)
	w := clusterWorld(t, servers)
	w.pair()
	w.publishInTurn(0, 300)
	w.copies("s", 300)
	servers.Stop()
	copies := []string{servers.Nodes[0].CopyStore(), servers.Nodes[1].CopyStore()}
	servers.Start()
	w.replicated(3)
	w.publishInTurn(300, 200)
	w.copies("s", 500)
	servers.Kill()
	for i, store := range copies {
		servers.Nodes[i].RestoreStore(store)
	}
	// A node alone is never ready, and one whose store is the newer one may not be.
	var starts sync.WaitGroup
	for _, node := range servers.Nodes {
		starts.Go(func() {
			if err := node.TryStart(20 * time.Second); err != nil {
				t.Logf("CLUSTER majority rolled back: %s: %v", node.Name(), err)
			}
		})
	}
	starts.Wait()
	w.publishInTurn(500, 200)
	for _, service := range []string{"s", "k"} {
		w.eventually("what was published later", func() error {
			stream, err := w.js.Stream(t.Context(), "SUB_"+service)
			if err != nil {
				return err
			}
			found, err := w.read(stream)
			if err != nil {
				return err
			}
			seen := make(map[string]int)
			last := event.Position{}
			for _, m := range found {
				seen[m.Header.Get(contract.HeaderKey)]++
				if pos, ok := event.ParsePosition(m.Header.Get(contract.HeaderPosition)); service == "s" && (!ok || !last.Before(pos)) {
					t.Fatalf("%s: %s behind %s", service, m.Header.Get(contract.HeaderPosition), last)
				} else {
					last = pos
				}
			}
			lost := 0
			for i := range 700 {
				switch n := seen[fmt.Sprint(i)]; {
				case n > 1:
					t.Fatalf("%s: event %d came %d times", service, i, n)
				case n == 0 && (i < 300 || i >= 500):
					return fmt.Errorf("%s: event %d is missing", service, i)
				case n == 0:
					lost++
				}
			}
			t.Logf("CLUSTER majority rolled back: %s has %d copies, %d of the 200 events after the copy are not among them, last %s", service, len(found), lost, last)
			return nil
		})
	}
}
