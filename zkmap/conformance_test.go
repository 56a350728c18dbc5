package zkmap_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/tree/treetest"
	"github.com/replhub/replhub/zkmap"
)

// sessionTimeout is the shortest that the servers of package cluster grant.
const sessionTimeout = time.Second

// config is a map's over servers, below root.
func config(t *testing.T, root string, servers ...string) zkmap.Config {
	t.Helper()
	return zkmap.Config{
		Servers: servers, Root: root, SessionTimeout: sessionTimeout,
		Records: []string{"entities/*/*", "services/*", "hubs/*", "groups/*", "groups/*/*"},
		Folders: []string{"entities", "services", "hubs"},
		Logger:  slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func newMap(t *testing.T, cfg zkmap.Config) *zkmap.Map {
	t.Helper()
	m, err := zkmap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// start returns a running map that has loaded.
func start(t *testing.T, cfg zkmap.Config) *zkmap.Map {
	t.Helper()
	m := newMap(t, cfg)
	treetest.Start(t, m)
	treetest.Loaded(t, m)
	return m
}

// backend is a tree of its own on one ZooKeeper.
type backend struct {
	server *cluster.ZooKeeper
	root   string
}

func (b *backend) Open(t *testing.T) treetest.Map {
	t.Helper()
	return newMap(t, config(t, b.root, b.server.Servers()...))
}

func (b *backend) OpenMortal(t *testing.T) (treetest.Map, func()) {
	t.Helper()
	p := treetest.NewProxy(t, b.server.Servers()[0])
	return newMap(t, config(t, b.root, p.Addr())), p.Freeze
}

func (b *backend) Stop(*testing.T)     { b.server.Stop() }
func (b *backend) Start(*testing.T)    { b.server.Start() }
func (b *backend) Pause(*testing.T)    { b.server.Pause() }
func (b *backend) Continue(*testing.T) { b.server.Continue() }
func (b *backend) ErrPath() error      { return zkmap.ErrPath }
func (b *backend) ErrValue() error     { return zkmap.ErrValue }

func TestConformance(t *testing.T) {
	server := cluster.StartZooKeeper(t)
	var trees atomic.Int64
	treetest.Run(t, func(*testing.T) treetest.Backend {
		return &backend{server: server, root: fmt.Sprintf("/tests/t%d", trees.Add(1))}
	})
}
