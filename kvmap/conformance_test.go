package kvmap_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub/kvmap"
	"github.com/replhub/replhub/tree/treetest"
)

// backend is a bucket of its own. All maps reach the server through proxies,
// which are what Pause freezes.
type backend struct {
	server  *natsServer
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
	p := treetest.NewProxy(t, b.server.addr())
	b.proxies = append(b.proxies, p)
	cfg := config(t)
	cfg.Bucket = b.bucket
	return newMap(t, connect(t, p.Addr()), cfg), p.Freeze
}

func (b *backend) Stop(*testing.T)    { b.server.stop() }
func (b *backend) Start(t *testing.T) { t.Helper(); b.server.start(t) }
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
	server := startServer(t)
	var buckets atomic.Int64
	treetest.Run(t, func(*testing.T) treetest.Backend {
		return &backend{server: server, bucket: fmt.Sprintf("T%d", buckets.Add(1))}
	})
}
