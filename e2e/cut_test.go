package e2e_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
)

// link is the network between a hub and its server: TCP connections that can be cut in
// each direction by itself, or closed at one end only.
type link struct {
	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex // guards the rest
	conns []*linkConn
	// holds says which directions are cut; what is sent meanwhile arrives after the heal, as
	// TCP has it. free is closed at the heal.
	holds [2]bool
	free  chan struct{}
	ended bool
}

type linkConn struct{ near, far net.Conn }

// Directions of a link.
const (
	toServer = iota
	toHub
)

func newLink(t *testing.T, url string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newLinkAt(t, listener, url)
}

// newLinkAt is newLink with a listener of the caller's.
func newLinkAt(t *testing.T, listener net.Listener, url string) *link {
	t.Helper()
	l := &link{to: strings.TrimPrefix(url, "nats://"), listener: listener, free: make(chan struct{})}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.heal()
		l.running.Wait()
	})
	return l
}

func (l *link) url() string { return "nats://" + l.listener.Addr().String() }

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.serve(near) })
	}
}

func (l *link) serve(near net.Conn) {
	l.flowing(toServer)
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		_ = near.Close()
		return
	}
	c := &linkConn{near, far}
	l.mu.Lock()
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pass(far, near, toServer) })
	both.Go(func() { l.pass(near, far, toHub) })
	both.Wait()
}

// pass forwards one direction. An end that is closed by its owner closes the other one,
// once the direction is open.
func (l *link) pass(to, from net.Conn, direction int) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.flowing(direction)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// flowing waits while a direction is cut.
func (l *link) flowing(direction int) {
	for {
		l.mu.Lock()
		held, free := l.holds[direction] && !l.ended, l.free
		l.mu.Unlock()
		if !held {
			return
		}
		<-free
	}
}

// cut cuts directions.
func (l *link) cut(directions ...int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range directions {
		l.holds[d] = true
	}
}

// halfOpen closes one end of each connection, while the other end hears nothing of it.
func (l *link) halfOpen(hubs bool) {
	l.cut(toServer, toHub)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		end := c.far
		if hubs {
			end = c.near
		}
		_ = end.Close()
	}
}

// heal opens both directions, and resets the connections that were there.
func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds = [2]bool{}
	close(l.free)
	l.free = make(chan struct{})
	if l.ended {
		for _, c := range l.conns {
			_, _ = c.near.Close(), c.far.Close()
		}
	}
}

// TestHubCutFromNATS cuts a hub from its server: both ways, each way by itself, and with
// connections that are open at one end only. Publishers are not cut. At length, another hub
// takes over as well.
func TestHubCutFromNATS(t *testing.T) {
	cuts := []struct {
		name string
		cut  func(*link)
	}{
		{"both ways", func(l *link) { l.cut(toServer, toHub) }},
		{"to the server", func(l *link) { l.cut(toServer) }},
		{"to the hub", func(l *link) { l.cut(toHub) }},
		{"half open at the server", func(l *link) { l.halfOpen(true) }},
		{"half open at the hub", func(l *link) { l.halfOpen(false) }},
	}
	for _, hubs := range []string{"one hub", "two hubs"} {
		if hubs == "two hubs" && !lengthy {
			continue
		}
		t.Run(hubs, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Seed: 34})
			line := newLink(t, w.NATS.URL())
			w.StartHub("h1", "NATS_URL="+line.url())
			if hubs == "two hubs" {
				w.StartHub("h2")
			}
			for _, service := range []string{"s0", "s1", "s2", "s3"} {
				w.Register(service, want("user"), acmeOnly("tenant"))
			}
			writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
			for _, c := range cuts {
				w.AwaitAcked(100, settleWithin)
				c.cut(line)
				w.AwaitAcked(300, settleWithin)
				w.Let(cutTime())
				line.heal()
				at := w.LastSeq("")
				w.Eventually(c.name+": the lanes to go on", settleWithin, func() error {
					for _, service := range []string{"s0", "s1", "s2", "s3"} {
						if w.Position(service) < at {
							return errors.New(service + " is behind")
						}
					}
					return nil
				})
			}
			writers.Stop()
			w.Finish("hub cut from NATS: "+hubs, len(cuts), settleWithin)
		})
	}
}
