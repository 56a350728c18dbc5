package kvmap_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/internal/tree/treetest"
	"github.com/replhub/replhub/kvmap"
)

// backend is a bucket of its own. All maps reach the server through proxies,
// which are what Pause freezes.
type backend struct {
	server  *natstest.Server
	addr    string
	bucket  string
	proxies []*treetest.Proxy
}

func (b *backend) Open(t *testing.T) treetest.Map {
	t.Helper()
	m, _ := b.OpenMortal(t)
	return m
}

func (b *backend) OpenMortal(t *testing.T) (treetest.Map, func()) {
	t.Helper()
	p := treetest.NewProxy(t, b.addr)
	b.proxies = append(b.proxies, p)
	cfg := config(t)
	cfg.Bucket = b.bucket
	return newMap(t, connect(t, p.Addr()), cfg), p.Freeze
}

func (b *backend) Stop(t *testing.T)  { t.Helper(); b.server.Stop() }
func (b *backend) Start(t *testing.T) { t.Helper(); b.server.Start() }
func (b *backend) ErrPath() error     { return kvmap.ErrPath }
func (b *backend) ErrValue() error    { return kvmap.ErrValue }

func (b *backend) Pause(*testing.T) {
	for _, p := range b.proxies {
		p.Freeze()
	}
}

func (b *backend) Continue(*testing.T) {
	for _, p := range b.proxies {
		p.Thaw()
	}
}

func TestConformance(t *testing.T) {
	server, addr := startServer(t)
	var buckets atomic.Int64
	treetest.Run(t, func(*testing.T) treetest.Backend {
		return &backend{server: server, addr: addr, bucket: fmt.Sprintf("T%d", buckets.Add(1))}
	})
}
