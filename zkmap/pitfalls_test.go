package zkmap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/treetest"
	"github.com/replhub/replhub/zkmap"
)

func hasAlarm(m *zkmap.Map, part string) func() bool {
	return func() bool { return strings.Contains(strings.Join(m.Alarms(), "\n"), part) }
}

func mustPut(t *testing.T, m *zkmap.Map, path, value string) {
	t.Helper()
	treetest.MustPut(t, m, path, value, tree.Any)
}

// TestAlone provokes what one server suffices for. Every test has a tree of
// its own and, unless it says otherwise, no periodic reading to lean on.
func TestAlone(t *testing.T) { //nolint:tparallel // its parts share one server, which they stop and wipe
	t.Parallel() // it mostly waits for sessions to end
	server := cluster.StartZooKeeper(t, cluster.WithJVMFlags("-Djute.maxbuffer=8388608"))
	for name, test := range map[string]func(*testing.T, *cluster.ZooKeeper, zkmap.Config){
		"ManyEventsAtOnce":  manyEventsAtOnce,
		"SessionExpires":    sessionExpires,
		"SilentServer":      silentServer,
		"ResetWhileAuth":    resetWhileAuth,
		"Resync":            resync,
		"HandMade":          handMade,
		"SubtreeDeleted":    subtreeDeleted,
		"Garbage":           garbage,
		"BigReplies":        bigReplies,
		"VanishingNodes":    vanishingNodes,
		"CutWhileReading":   cutWhileReading,
		"Auth":              auth,
		"CallsAside":        callsAside,
		"SameSessionMember": sameSessionMember,
		"Wiped":             wiped,
		"Restored":          restored,
	} {
		t.Run(name, func(t *testing.T) {
			// Nothing in common above it: what a map with credentials creates is
			// closed to the others.
			cfg := config(t, "/"+name, server.Servers()...)
			cfg.Resync = time.Hour
			test(t, server, cfg)
		})
	}
}

// manyEventsAtOnce: the library's event channel holds six events.
func manyEventsAtOnce(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	r := dialRaw(t, server.Servers()...)
	const records = 1000
	for i := range records {
		r.make(fmt.Sprintf("%s/services/s%d", cfg.Root, i), "old")
	}
	m := start(t, cfg)
	var all sync.WaitGroup
	for w := range 20 {
		all.Go(func() {
			for i := w; i < records; i += 20 {
				r.set(fmt.Sprintf("%s/services/s%d", cfg.Root, i), "new")
			}
		})
	}
	all.Wait()
	treetest.Await(t, m, "every change", func(s *tree.Snapshot) bool {
		for _, e := range s.Entries {
			if string(e.Value) != "new" {
				return false
			}
		}
		return len(s.Entries) == records
	})
}

func sessionExpires(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	observer := start(t, cfg)
	p := treetest.NewProxy(t, server.Servers()[0])
	cfg.Servers = []string{p.Addr()}
	m := newMap(t, cfg)
	m.Join("hubs/a", []byte("1"))
	treetest.Start(t, m)
	treetest.Await(t, observer, "the member", treetest.Has("hubs/a", "1"))
	mustPut(t, observer, "services/a", "1")
	treetest.Await(t, m, "a record", treetest.Has("services/a", "1"))

	p.Freeze()
	treetest.Await(t, observer, "the session expired", treetest.Lacks("hubs/a"))
	mustPut(t, observer, "services/a", "2")
	mustPut(t, observer, "services/b", "1")
	p.Thaw()

	treetest.Await(t, observer, "the member in the next session", treetest.Has("hubs/a", "1"))
	treetest.Await(t, m, "what it missed", func(s *tree.Snapshot) bool {
		return treetest.Has("services/a", "2")(s) && treetest.Has("services/b", "1")(s)
	})
	mustPut(t, observer, "services/a", "3")
	treetest.Await(t, m, "a change by a new watch", treetest.Has("services/a", "3"))
}

// silentServer: one that begins its answer and never ends it. The library
// waits for the rest without a bound.
func silentServer(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	h := newHandshakes(t, server.Servers()[0], 1, func(h handshake) {
		h.answer(h.response[:4])
		h.untilClientCloses()
	})
	cfg.Servers = []string{h.addr()}
	m := start(t, cfg)
	mustPut(t, m, "services/a", "1")
	if n := h.met(); n != 1 {
		t.Errorf("%d handshakes met, want 1", n)
	}
}

// resetWhileAuth: connections that are reset just when credentials are sent
// again. One failed write at that moment, and the library hangs for ever.
func resetWhileAuth(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	cfg.AuthFile = authFile(t, "hub:secret")
	p := newHandshakes(t, server.Servers()[0], 0, func(h handshake) {
		h.answer(h.response)
		h.reset()
	})
	cfg.Servers = []string{p.addr()}
	m := start(t, cfg)
	direct := cfg
	direct.Servers = server.Servers()
	observer := start(t, direct)
	for i := range 3 {
		p.meet(3)
		p.resetAll()
		value := fmt.Sprint(i)
		mustPut(t, observer, "services/a", value)
		treetest.Await(t, m, "a change after resets", treetest.Has("services/a", value))
	}
	if n := p.met(); n != 9 {
		t.Errorf("%d handshakes met, want 9", n)
	}
}

// resync: no watch of ours tells that a record got children.
func resync(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	cfg.Resync = 100 * time.Millisecond
	m := start(t, cfg)
	mustPut(t, m, "services/a", "1")
	treetest.Await(t, m, "the record", treetest.Has("services/a", "1"))
	r := dialRaw(t, server.Servers()...)
	r.make(cfg.Root+"/services/a/child", "")
	treetest.Until(t, "an alarm", hasAlarm(m, "services/a"))
	r.deleteAll(cfg.Root + "/services/a/child")
	treetest.Until(t, "the alarm gone", func() bool { return len(m.Alarms()) == 0 })
}

// handMade: no watch is recursive; each level that appears needs its own.
func handMade(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	m := start(t, cfg)
	r := dialRaw(t, server.Servers()...)
	r.make(cfg.Root+"/entities/user", "")
	r.make(cfg.Root+"/services/a", "x")
	s := treetest.Await(t, m, "the service", treetest.Has("services/a", "x"))
	if len(s.Entries) != 1 {
		t.Errorf("%d records: a folder is none", len(s.Entries))
	}
	r.make(cfg.Root+"/entities/user/audit", "")
	treetest.Await(t, m, "an empty record", treetest.Has("entities/user/audit", ""))
	r.set(cfg.Root+"/entities/user/audit", "1")
	treetest.Await(t, m, "its change", treetest.Has("entities/user/audit", "1"))
	r.make(cfg.Root+"/entities/tenant/audit", "2")
	treetest.Await(t, m, "a record in a new folder", treetest.Has("entities/tenant/audit", "2"))
	e, err := m.Get(t.Context(), "entities/user/audit")
	if err != nil {
		t.Fatal(err)
	}
	treetest.MustPut(t, m, "entities/user/audit", "mine", e.Version)
}

func subtreeDeleted(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	m := newMap(t, cfg)
	m.Join("hubs/a", nil)
	treetest.Start(t, m)
	for i := range 20 {
		mustPut(t, m, fmt.Sprintf("entities/user/s%d", i), "1")
	}
	mustPut(t, m, "services/a", "1")
	treetest.Await(t, m, "all", func(s *tree.Snapshot) bool { return len(s.Entries) == 22 })
	r := dialRaw(t, server.Servers()...)
	r.deleteAll(cfg.Root + "/entities")
	treetest.Await(t, m, "the remaining entries", func(s *tree.Snapshot) bool { return len(s.Entries) == 2 })
	treetest.Until(t, "the folder made again", func() bool {
		there, _, err := r.conn.Exists(cfg.Root + "/entities")
		return err == nil && there
	})
	r.make(cfg.Root+"/entities/user/back", "1")
	treetest.Await(t, m, "a record in the new folder", treetest.Has("entities/user/back", "1"))
}

func garbage(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	m := start(t, cfg)
	r := dialRaw(t, server.Servers()...)
	r.make(cfg.Root+"/stranger/x/y/z", "")
	r.make(cfg.Root+"/services/a.b", "1")
	r.make(cfg.Root+"/services/\u0430", "1")
	r.make(cfg.Root+"/services/big", strings.Repeat("x", 256<<10+1))
	r.make(cfg.Root+"/services/good", "1")
	for _, name := range []string{"stranger", "services/a.b", `services/\u0430`, "services/big"} {
		name := strings.ReplaceAll(name, `\u0430`, "\u0430")
		treetest.Until(t, "an alarm about "+name, hasAlarm(m, name))
	}
	s := treetest.Await(t, m, "the good one", treetest.Has("services/good", "1"))
	if len(s.Entries) != 1 {
		t.Errorf("%d records, want 1", len(s.Entries))
	}
	r.set(cfg.Root+"/services/big", "small")
	treetest.Await(t, m, "the big one, now small", treetest.Has("services/big", "small"))
	r.set(cfg.Root+"/services/good", strings.Repeat("x", 256<<10+1))
	treetest.Await(t, m, "the good one gone bad", treetest.Lacks("services/good"))
}

// bigReplies: a znode and a listing of more than the usual megabyte.
func bigReplies(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	r := dialRaw(t, server.Servers()...)
	r.make(cfg.Root+"/services/good", "1")
	r.make(cfg.Root+"/services/big", strings.Repeat("x", 2<<20))
	for batch := range 30 {
		var ops []any
		for i := range 1000 {
			name := fmt.Sprintf("%s/services/%s.%d.%d", cfg.Root, strings.Repeat("n", 80), batch, i)
			ops = append(ops, &zk.CreateRequest{Path: name, Data: []byte{}, Acl: zk.WorldACL(zk.PermAll)})
		}
		if _, err := r.conn.Multi(ops...); err != nil {
			t.Fatal(err)
		}
	}
	m := start(t, cfg)
	if s := m.Snapshot(); len(s.Entries) != 1 {
		t.Errorf("%d records, want 1", len(s.Entries))
	}
	if n := len(m.Alarms()); n == 0 || n > 100 {
		t.Errorf("%d alarms for 30,000 strangers", n)
	}
	mustPut(t, m, "services/other", "1")
	treetest.Await(t, m, "a record beside them", treetest.Has("services/other", "1"))
}

// vanishingNodes: a znode may be gone between its listing and its reading.
func vanishingNodes(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	cfg.Resync = 5 * time.Millisecond
	m := start(t, cfg)
	r := dialRaw(t, server.Servers()...)
	began := m.Status().Since
	for i := range 300 {
		r.make(cfg.Root+"/entities/user/flicker", fmt.Sprint(i))
		r.deleteAll(cfg.Root + "/entities/user")
	}
	r.make(cfg.Root+"/entities/user/flicker", "last")
	treetest.Await(t, m, "the last one", treetest.Has("entities/user/flicker", "last"))
	if s := m.Status(); s.Since != began {
		t.Errorf("the connection was given up meanwhile: %+v", s)
	}
}

// cutWhileReading: a reading that was cut short must not look like deletions.
func cutWhileReading(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	writer := start(t, cfg)
	const records = 200
	for i := range records {
		mustPut(t, writer, fmt.Sprintf("services/s%d", i), "1")
	}
	p := treetest.NewProxy(t, server.Servers()[0])
	cfg.Servers = []string{p.Addr()}
	cfg.Resync = time.Millisecond
	m := start(t, cfg)
	changed := m.Changed()
	for i := range 30 {
		before := m.Status().Since
		// At another moment of the reading each time.
		for range i % 10 {
			_, _ = m.Get(t.Context(), "services/s0")
		}
		p.Reset()
		treetest.Until(t, "connected again", func() bool {
			now := m.Status()
			return now.Connected && now.Since != before
		})
	}
	select {
	case <-changed:
		t.Fatalf("a change where there was none; now %d records", len(m.Snapshot().Entries))
	default:
	}
}

// callsAside: the library notices a silent server only after two thirds of
// the session timeout; a call must not last as long.
func callsAside(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	cfg.SessionTimeout = 10 * time.Second
	m := start(t, cfg)
	server.Pause()
	defer server.Continue()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	var all sync.WaitGroup
	for range 200 { // more than may be under way
		all.Go(func() {
			if _, err := m.Get(ctx, "services/a"); !errors.Is(err, tree.ErrUnavailable) {
				t.Errorf("get: %v", err)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("calls of 50ms ended only after %v", took)
	}
}

// sameSessionMember: a connection that breaks and comes back must not show
// the member gone, nor leave it to the old session's end.
func sameSessionMember(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	observer := start(t, cfg)
	p := treetest.NewProxy(t, server.Servers()[0])
	cfg.Servers = []string{p.Addr()}
	// Long enough for the old session to be there when the new one joins.
	cfg.SessionTimeout = 5 * time.Second
	m := newMap(t, cfg)
	m.Join("hubs/a", []byte("1"))
	treetest.Start(t, m)
	s := treetest.Await(t, observer, "the member", treetest.Has("hubs/a", "1"))
	old := s.Entries["hubs/a"].Version
	p.Reset()
	treetest.Await(t, observer, "the member of the next session", func(s *tree.Snapshot) bool {
		e, there := s.Entries["hubs/a"]
		if !there {
			t.Fatal("the member was seen gone")
		}
		return e.Version > old
	})
}

// wiped: a client that insists on the zxid it saw is refused by a wiped
// server for ever.
func wiped(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	m := newMap(t, cfg)
	m.Join("hubs/a", []byte("1"))
	treetest.Start(t, m)
	for i := range 20 {
		mustPut(t, m, "services/a", fmt.Sprint(i))
	}
	server.Stop()
	server.Wipe()
	server.Start()
	treetest.Await(t, m, "the wiped tree", treetest.Lacks("services/a"))
	treetest.Await(t, m, "the member", treetest.Has("hubs/a", "1"))
	mustPut(t, m, "services/b", "1")
	treetest.Await(t, m, "a record in the new tree", treetest.Has("services/b", "1"))
}

func restored(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	m := start(t, cfg)
	mustPut(t, m, "services/a", "old")
	server.Stop()
	old := server.Snapshot()
	server.Start()
	for i := range 20 {
		mustPut(t, m, "services/a", fmt.Sprint(i))
	}
	treetest.Await(t, m, "the newest", treetest.Has("services/a", "19"))
	server.Stop()
	server.Restore(old)
	server.Start()
	treetest.Await(t, m, "the old data", treetest.Has("services/a", "old"))
	mustPut(t, m, "services/a", "new")
	treetest.Await(t, m, "a change of it", treetest.Has("services/a", "new"))
}
