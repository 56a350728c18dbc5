package treetest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy forwards TCP connections to one address until told otherwise: the
// network between a map and its store. Safe for concurrent use.
type Proxy struct {
	patience time.Duration // how long to dial a target that refuses
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex    // guards below
	thaw   chan struct{} // closed unless frozen
	pairs  map[*pair]struct{}
	closed bool
}

type pair struct{ client, server net.Conn }

// NewProxy forwards to target until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	return NewPatientProxy(t, target, 0)
}

// NewPatientProxy is NewProxy for clients that take a connection for a promise:
// while the target refuses, it is dialled again for as long as patience.
func NewPatientProxy(t testing.TB, target string, patience time.Duration) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	p := &Proxy{patience: patience, target: target, listener: l, thaw: make(chan struct{}), pairs: map[*pair]struct{}{}}
	close(p.thaw)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.flowing()
	server, err := p.dial()
	if err != nil {
		return
	}
	defer server.Close()
	c := &pair{client, server}
	if !p.add(c) {
		return
	}
	defer p.remove(c)
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client) })
	both.Go(func() { p.copy(client, server) })
	both.Wait()
}

// dial dials the target, again and again within the proxy's patience.
func (p *Proxy) dial() (net.Conn, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(p.patience); ; <-tick.C {
		server, err := net.Dial("tcp", p.target)
		if err == nil || time.Now().After(deadline) {
			return server, err
		}
	}
}

// copy forwards one way; what was read while frozen is held back until the
// thaw.
func (p *Proxy) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.flowing()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// flowing waits while the proxy is frozen.
func (p *Proxy) flowing() {
	p.mu.Lock()
	thaw := p.thaw
	p.mu.Unlock()
	<-thaw
}

func (p *Proxy) add(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.pairs[c] = struct{}{}
	}
	return !p.closed
}

func (p *Proxy) remove(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, c)
}

// Freeze holds everything back, both ways; connections stay, new ones are
// accepted.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thaw:
		p.thaw = make(chan struct{})
	default:
	}
}

// Thaw lets everything through that was held back.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.melt()
}

func (p *Proxy) melt() {
	select {
	case <-p.thaw:
	default:
		close(p.thaw)
	}
}

// Reset breaks every connection at once, with a reset rather than an end
// towards the client.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

func (p *Proxy) cut() {
	for c := range p.pairs {
		if tcp, ok := c.client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.client.Close()
		_ = c.server.Close()
	}
}

// Connections returns how many are open through the proxy.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.melt()
	p.cut()
	p.mu.Unlock()
	p.running.Wait()
}
