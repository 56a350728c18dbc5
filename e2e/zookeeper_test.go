package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/e2e/judge"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// registryTime bounds how long the registry may lag behind the lanes.
const registryTime = 40 * time.Second

// silent takes the ZooKeeper client's log.
type silent struct{}

func (silent) Printf(string, ...any) {}

// tree is a person at ZooKeeper's command line.
type tree struct {
	t    *testing.T
	w    *harness.World
	conn *zk.Conn
}

func openTree(t *testing.T, w *harness.World) tree {
	t.Helper()
	conn, events, err := zk.Connect(w.ZooKeeper.Servers(), 5*time.Second,
		zk.WithLogger(silent{}), zk.WithMaxBufferSize(8<<20), zk.WithMaxConnBufferSize(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	return tree{t: t, w: w, conn: conn}
}

func (z tree) create(path, value string) {
	z.t.Helper()
	if _, err := z.conn.Create(path, []byte(value), 0, zk.WorldACL(zk.PermAll)); err != nil {
		z.t.Fatalf("create %s: %v", path, err)
	}
}

func (z tree) set(path, value string) {
	z.t.Helper()
	if _, err := z.conn.Set(path, []byte(value), -1); err != nil {
		z.t.Fatalf("set %s: %v", path, err)
	}
}

func (z tree) get(path string) (string, error) {
	data, _, err := z.conn.Get(path)
	return string(data), err
}

func (z tree) removeAll(path string) {
	z.t.Helper()
	children, _, err := z.conn.Children(path)
	if err != nil {
		z.t.Fatalf("list %s: %v", path, err)
	}
	for _, c := range children {
		z.removeAll(path + "/" + c)
	}
	if err := z.conn.Delete(path, -1); err != nil {
		z.t.Fatalf("delete %s: %v", path, err)
	}
}

// awaitRecord waits for a record with an id.
func (z tree) awaitRecord(path string) {
	z.t.Helper()
	z.w.Eventually("the record "+path, registryTime, func() error {
		text, err := z.get(path)
		if err != nil {
			return err
		}
		var r struct {
			ID    string `json:"id"`
			Since any    `json:"since"`
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil || r.ID == "" || r.Since == nil {
			return fmt.Errorf("it is %q", text)
		}
		return nil
	})
}

func (z tree) awaitAbsent(path string) {
	z.t.Helper()
	z.w.Eventually("no record "+path, registryTime, func() error {
		text, err := z.get(path)
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("it is %q", text)
	})
}

func (z tree) awaitAlarm(about string) {
	z.t.Helper()
	z.w.Eventually("an alarm about "+about, registryTime, func() error {
		alarms := z.w.Status().Registry.Alarms
		if !slices.ContainsFunc(alarms, func(a string) bool { return strings.Contains(a, about) }) {
			return fmt.Errorf("alarms %q", alarms)
		}
		return nil
	})
}

// world starts a world with ZooKeeper, a hub and three services.
func zkWorld(t *testing.T, seed uint64) (*harness.World, *harness.Hub) {
	t.Helper()
	w := harness.New(t, harness.Options{
		Binary: binary, Registry: harness.ZooKeeper, Seed: seed,
		ZooKeeper: []cluster.ZooKeeperOption{cluster.WithJVMFlags("-Djute.maxbuffer=8388608")},
	})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.Register("filtered", acmeOnly("user"))
	w.Register("projected", withoutSecret("tenant"))
	return w, hub
}

// TestZooKeeperAway stops ZooKeeper for longer than the hub's session, while
// events and registrations go on and the hub is restarted.
func TestZooKeeperAway(t *testing.T) {
	w, hub := zkWorld(t, 41)
	writers := w.Write(harness.Load{Every: 2 * time.Millisecond}, 0)
	w.AwaitAcked(100, settleWithin)
	w.ZooKeeper.Kill()
	w.Let(3 * time.Second) // the session is 2 s
	w.AwaitAcked(100, settleWithin)
	w.Register("changing", want("user"))
	w.Register("filtered", withoutSecret("user"))
	w.Unregister("projected", "tenant")
	hub.Kill()
	hub.Start()
	w.Register("late", from("all", want("tenant")))
	w.AwaitAcked(200, settleWithin)
	if !slices.ContainsFunc(w.Status().Degraded, func(s string) bool { return strings.Contains(s, "registry") }) {
		t.Errorf("degraded %q, want the registry among it", w.Status().Degraded)
	}
	w.ZooKeeper.Start()
	w.AwaitAcked(200, settleWithin)
	z := openTree(t, w)
	z.awaitRecord("/replhub/entities/user/changing")
	z.awaitRecord("/replhub/entities/tenant/late")
	z.awaitAbsent("/replhub/entities/tenant/projected")
	writers.Stop()
	w.Finish("ZooKeeper away", 1, settleWithin)
}

// TestZooKeeperWiped removes all of ZooKeeper's data.
func TestZooKeeperWiped(t *testing.T) {
	w, _ := zkWorld(t, 42)
	writers := w.Write(harness.Load{Every: 2 * time.Millisecond}, 0)
	w.AwaitAcked(100, settleWithin)
	w.ZooKeeper.Kill()
	w.ZooKeeper.Wipe()
	w.ZooKeeper.Start()
	w.AwaitAcked(100, settleWithin)
	z := openTree(t, w)
	for _, path := range []string{"user/plain", "tenant/plain", "user/filtered", "tenant/projected"} {
		z.awaitRecord("/replhub/entities/" + path)
	}
	w.Register("late", from("all", want("tenant")))
	z.awaitRecord("/replhub/entities/tenant/late")
	w.AwaitAcked(100, settleWithin)
	writers.Stop()
	w.Finish("ZooKeeper wiped", 1, settleWithin)
}

// TestZooKeeperRestored puts an old copy of ZooKeeper's data in place: what was
// ended since does not come back, what was registered since does not go.
func TestZooKeeperRestored(t *testing.T) {
	w, _ := zkWorld(t, 43)
	w.Register("ended", want("user"), want("tenant"))
	z := openTree(t, w)
	z.awaitRecord("/replhub/entities/user/ended")
	w.ZooKeeper.Stop()
	old := w.ZooKeeper.Snapshot()
	w.ZooKeeper.Start()
	writers := w.Write(harness.Load{Every: 2 * time.Millisecond}, 0)
	w.AwaitAcked(100, settleWithin)
	w.Unregister("ended", "user")
	w.Register("late", want("user"))
	z.awaitRecord("/replhub/entities/user/late")
	z.awaitAbsent("/replhub/entities/user/ended")
	w.ZooKeeper.Stop()
	w.ZooKeeper.Restore(old)
	w.ZooKeeper.Start()
	fresh := openTree(t, w) // the old client waits for a transaction that never was
	fresh.awaitRecord("/replhub/entities/user/late")
	fresh.awaitAbsent("/replhub/entities/user/ended")
	w.AwaitAcked(300, settleWithin)
	writers.Stop()
	w.Finish("ZooKeeper restored", 1, settleWithin)
}

// TestSubtreeDeleted deletes a subtree by hand: its records are put back, with
// an alarm, and nothing is unregistered.
func TestSubtreeDeleted(t *testing.T) {
	w, _ := zkWorld(t, 44)
	writers := w.Write(harness.Load{Every: 2 * time.Millisecond}, 0)
	z := openTree(t, w)
	z.awaitRecord("/replhub/entities/user/filtered")
	w.AwaitAcked(100, settleWithin)
	z.removeAll("/replhub/entities/user")
	z.awaitRecord("/replhub/entities/user/plain")
	z.awaitRecord("/replhub/entities/user/filtered")
	z.awaitAlarm("entities/user/plain")
	w.AwaitAcked(100, settleWithin)
	writers.Stop()
	w.Finish("subtree deleted", 1, settleWithin)
}

// TestZnodeMadeByHand registers by creating znodes, empty and with a
// definition.
func TestZnodeMadeByHand(t *testing.T) {
	w, _ := zkWorld(t, 45)
	w.Publish(harness.Load{}, 100)
	z := openTree(t, w)
	z.create("/replhub/entities/user/audit", "")
	z.create("/replhub/entities/user/archive", `{"v":1,"start":"all","filter":"data.tenant == 'acme'","fields":["id","n"]}`)
	z.create("/replhub/entities/project", "")
	z.create("/replhub/entities/project/audit", `{}`)
	z.awaitRecord("/replhub/entities/user/audit")
	z.awaitRecord("/replhub/entities/user/archive")
	z.awaitRecord("/replhub/entities/project/audit")
	archive := acmeOnly("user")
	archive.Fields = []string{"id", "n"}
	for service, wants := range map[string][]harness.Want{"audit": {want("user"), want("project")}, "archive": {archive}} {
		status := w.Describe(service)
		for _, wt := range wants {
			i := slices.IndexFunc(status.Interests, func(in contract.InterestStatus) bool { return in.Entity == wt.Entity })
			if i < 0 {
				t.Fatalf("%s has no interest in %s: %+v", service, wt.Entity, status)
			}
			in := status.Interests[i]
			w.NoteByHand(service, wt, judge.Position{Epoch: in.SinceEpoch, Seq: in.Since})
		}
	}
	if since := w.Describe("archive").Interests[0].Since; since != 1 {
		t.Errorf("since %d, want 1: the record says start all", since)
	}
	w.Publish(harness.Load{Entities: []string{"user", "project"}}, 200)
	w.Finish("znode made by hand", 0, settleWithin)
}

// TestForeignZnodes puts what is no record of this hub's among the records:
// the hub runs on, with alarms; a record of a newer form parks its lane.
func TestForeignZnodes(t *testing.T) {
	w, _ := zkWorld(t, 46)
	z := openTree(t, w)
	z.awaitRecord("/replhub/entities/user/plain")
	z.awaitRecord("/replhub/entities/user/filtered")
	mine, err := z.get("/replhub/entities/user/filtered")
	if err != nil {
		t.Fatal(err)
	}
	z.create("/replhub/entities/user/garbage", "\x00\xff not JSON")
	z.create("/replhub/entities/user/huge", strings.Repeat("x", 2<<20))
	z.create("/replhub/entities/user/array", `[1,2,3]`)
	z.create("/replhub/entities/UPPER", "")
	z.create("/replhub/entities/UPPER/plain", "")
	z.create("/replhub/entities/user/plain/deeper", "x")
	z.create("/replhub/nonsense", "x")
	z.create("/replhub/entities/user/wrong", `{"v":1,"filter":"this is no CEL ("}`)
	z.set("/replhub/entities/user/filtered", `{"v":2,"secret_rule":true}`)
	w.AwaitState("filtered", contract.LaneIncompatible, registryTime)
	z.awaitAlarm("entities/user/garbage")
	z.awaitAlarm("entities/user/wrong")
	z.awaitAlarm("entities/user/huge")
	at := w.Position("filtered")
	w.Publish(harness.Load{}, 200)
	w.Eventually("the others to flow", settleWithin, func() error {
		if w.Describe("plain").Lag > 0 {
			return errors.New("behind")
		}
		return nil
	})
	if got := w.Position("filtered"); got != at {
		t.Errorf("a parked lane went on from %d to %d", at, got)
	}
	z.set("/replhub/entities/user/filtered", mine)
	w.AwaitState("filtered", contract.LaneLive, registryTime)
	w.Publish(harness.Load{}, 100)
	w.Finish("foreign znodes", 8, settleWithin)
}
