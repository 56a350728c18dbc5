package zkmap_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/tree/treetest"
	"github.com/replhub/replhub/zkmap"
)

func authFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(name, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// syncBuffer is a buffer that loggers may write to at once.
type syncBuffer struct {
	mu  sync.Mutex // guards below
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func auth(t *testing.T, server *cluster.ZooKeeper, cfg zkmap.Config) {
	var out syncBuffer
	cfg.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := dialRaw(t, server.Servers()...)
	// What another user keeps to itself is left out, with an alarm.
	r.makeAs(cfg.Root+"/services/foreign", "x", zk.DigestACL(zk.PermAll, "other", "word"))
	cfg.AuthFile = authFile(t, "hub:secret")
	p := treetest.NewProxy(t, server.Servers()[0])
	cfg.Servers = []string{p.Addr()}
	m := newMap(t, cfg)
	m.Join("hubs/a", nil)
	treetest.Start(t, m)
	mustPut(t, m, "entities/user/sharing", "1")
	treetest.Await(t, m, "its own record", treetest.Has("entities/user/sharing", "1"))
	treetest.Await(t, m, "its member", treetest.Has("hubs/a", ""))
	treetest.Until(t, "an alarm about the foreign one", hasAlarm(m, "services/foreign"))
	for _, znode := range []string{"/entities", "/entities/user", "/entities/user/sharing", "/hubs", "/hubs/a"} {
		if _, _, err := r.conn.Get(cfg.Root + znode); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%s read without credentials: %v", znode, err)
		}
	}
	belongToTheHubAlone(t, r, server, cfg)
	// The credentials go along into the next session.
	p.Reset()
	mustPutDespite(t, m, "entities/user/sharing", "2")
	treetest.Await(t, m, "a change in the next session", treetest.Has("entities/user/sharing", "2"))
	if strings.Contains(out.String(), "secret") {
		t.Error("the password is in the log")
	}
}

// belongToTheHubAlone has a map create everything, its root and what is above it included,
// and looks at each node: an access control list of ZooKeeper's does not hold for the nodes
// below.
func belongToTheHubAlone(t *testing.T, r raw, server *cluster.ZooKeeper, cfg zkmap.Config) {
	t.Helper()
	cfg.Servers = server.Servers()
	above := cfg.Root + "-deep"
	cfg.Root = above + "/er"
	m := newMap(t, cfg)
	m.Join("hubs/a", nil)
	treetest.Start(t, m)
	mustPut(t, m, "entities/user/sharing", "1")
	mustPut(t, m, "services/sharing", "1")
	treetest.Await(t, m, "its member", treetest.Has("hubs/a", ""))
	if err := r.conn.AddAuth("digest", []byte("hub:secret")); err != nil {
		t.Fatal(err)
	}
	want := zk.DigestACL(zk.PermAll, "hub", "secret")
	var look func(znode string) int
	look = func(znode string) int {
		acl, _, err := r.conn.GetACL(znode)
		if err != nil || !slices.Equal(acl, want) {
			t.Errorf("%s: %v, %v", znode, acl, err)
		}
		names, _, err := r.conn.Children(znode)
		if err != nil {
			t.Fatal(err)
		}
		n := 1
		for _, name := range names {
			n += look(znode + "/" + name)
		}
		return n
	}
	if n := look(above); n < 9 {
		t.Errorf("only %d nodes", n)
	}
}
