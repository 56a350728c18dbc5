//go:build long

package e2e_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/replhub/replhub/e2e/harness"
)

// wire is a network between a hub and its server: two network namespaces with a pair of
// virtual Ethernet devices. The hub runs in one of them. In the other a relay listens, which
// has its connections to the server by the host's loopback. So packets are lost as in a real
// network, and both ends learn of it by timeouts alone.
type wire struct {
	t *testing.T
	// Both ends: the namespace, its device and its address.
	spaces, devices, addresses [2]string
}

// The ends of a wire.
const (
	hubEnd = iota
	serverEnd
)

func newWire(t *testing.T) *wire {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces need root: run the long tests as root")
	}
	w := &wire{t: t, addresses: [2]string{"10.213.7.1", "10.213.7.2"}}
	for i, end := range []string{"h", "s"} {
		w.spaces[i] = fmt.Sprintf("rh-%d-%s", os.Getpid(), end)
		w.devices[i] = "wire-" + end
		w.ip("netns", "add", w.spaces[i])
		t.Cleanup(func() { w.ip("netns", "del", w.spaces[i]) })
	}
	w.ip("link", "add", w.devices[hubEnd], "netns", w.spaces[hubEnd], "type", "veth", "peer", "name", w.devices[serverEnd], "netns", w.spaces[serverEnd])
	for i := range w.spaces {
		w.ip("-n", w.spaces[i], "addr", "add", w.addresses[i]+"/30", "dev", w.devices[i])
		w.ip("-n", w.spaces[i], "link", "set", w.devices[i], "up")
		w.ip("-n", w.spaces[i], "link", "set", "lo", "up")
	}
	return w
}

func (w *wire) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// listen opens a listener at the server's end.
func (w *wire) listen() (listener net.Listener, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		space, opened := os.Open(filepath.Join("/run/netns", w.spaces[serverEnd]))
		if err = opened; err != nil {
			return
		}
		defer space.Close()
		if err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err == nil {
			listener, err = net.Listen("tcp", w.addresses[serverEnd]+":0")
		}
	}()
	<-done
	return listener, err
}

// inside is a program that runs the hub at its end.
func (w *wire) inside(binary string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "hub")
	text := fmt.Sprintf("#!/bin/sh\nexec ip netns exec %s %s \"$@\"\n", w.spaces[hubEnd], binary)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // it is executed
		w.t.Fatal(err)
	}
	return path
}

// lose has what one end sends be lost: it goes to an address that no device has.
func (w *wire) lose(end int) {
	w.ip("-n", w.spaces[end], "neigh", "replace", w.addresses[1-end], "lladdr", "02:00:00:00:00:99", "dev", w.devices[end], "nud", "permanent")
}

// unplug loses what both ends send.
func (w *wire) unplug() { w.ip("-n", w.spaces[serverEnd], "link", "set", w.devices[serverEnd], "down") }

func (w *wire) heal() {
	w.ip("-n", w.spaces[serverEnd], "link", "set", w.devices[serverEnd], "up")
	for i := range w.spaces {
		w.ip("-n", w.spaces[i], "neigh", "flush", "dev", w.devices[i], "nud", "permanent")
	}
}

// TestHubCutByItsNetwork loses the packets between a hub and its server: both ways, each way
// by itself, and with connections that the server's end has closed.
func TestHubCutByItsNetwork(t *testing.T) {
	line := newWire(t)
	w := harness.New(t, harness.Options{Binary: line.inside(binary), Seed: 35})
	listener, err := line.listen()
	if err != nil {
		t.Fatal(err)
	}
	relay := newLinkAt(t, listener, w.NATS.URL())
	w.StartHub("h1", "NATS_URL="+relay.url())
	services := []string{"s0", "s1", "s2", "s3"}
	for _, service := range services {
		w.Register(service, want("user"), acmeOnly("tenant"))
	}
	writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
	cuts := []struct {
		name  string
		cut   func()
		lasts time.Duration
	}{
		{"both ways", line.unplug, cutTime()},
		{"to the server", func() { line.lose(hubEnd) }, cutTime()},
		{"to the hub", func() { line.lose(serverEnd) }, cutTime()},
		{"half open at the hub", func() { line.lose(serverEnd); relay.halfOpen(true); relay.halfOpen(false) }, cutTime()},
		// TCP would send again half a minute after the heal.
		{"to the server, for longer", func() { line.lose(hubEnd) }, 4 * cutTime()},
	}
	slowest := time.Duration(0)
	for _, c := range cuts {
		w.AwaitAcked(100, settleWithin)
		c.cut()
		w.AwaitAcked(300, settleWithin)
		w.Let(c.lasts)
		line.heal()
		relay.heal() // what is half open has been held back, too
		healed, at := time.Now(), w.LastSeq("")
		w.Eventually(c.name+": the lanes to go on", settleWithin, func() error {
			for _, service := range services {
				if w.Position(service) < at {
					return errors.New(service + " is behind")
				}
			}
			return nil
		})
		took := time.Since(healed)
		if took > c.lasts+5*time.Second || took > 25*time.Second {
			t.Errorf("%s: the lanes have gone on %s after the heal", c.name, took)
		}
		slowest = max(slowest, took)
		t.Logf("WIRE %s: %s, the lanes have gone on %s after the heal", c.name, c.lasts, took.Round(time.Millisecond))
	}
	writers.Stop()
	w.Finish("hub cut by its network", len(cuts), settleWithin)
	t.Logf("WIRE the slowest recovery: %s", slowest.Round(time.Millisecond))
}
