package push

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// resolving is a resolver whose every answer for IPv4 is the next of a list, and then the
// last one.
func resolving(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	var asked atomic.Int32
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			address := addresses[min(int(asked.Add(1)), len(addresses))-1]
			_, _ = server.WriteTo(dnsAnswer(query[:n], netip.MustParseAddr(address)), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// dnsAnswer answers the first question of a query with an address, if it asks for that
// kind.
func dnsAnswer(query []byte, address netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	const typeA = 1
	if binary.BigEndian.Uint16(query[end-4:]) == typeA {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, address.AsSlice()...)
	}
	return answer
}

// A name that leads to an address which is not public is not connected to, whatever it
// led to when it was looked up before. No event is lost by that.
func TestNamesThatRebind(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	_, port, _ := strings.Cut(l.server.Listener.Addr().String(), ":")
	l.cfg.URL, l.cfg.AllowPrivate = "https://example.com:"+port+"/hook", false
	l.cfg.resolver = resolving(t, "203.0.113.1", "169.254.169.254", "10.0.0.1", "127.0.0.1")
	p := l.start()
	l.publish("1", "2")
	l.await("the refusal of the last address", func() bool {
		return strings.Contains(strings.Join(p.Degraded(), ""), "127.0.0.1 is not a public address") && p.Summary().Requests > 5
	})
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if n := len(l.requests()); n > 0 || p.Summary().DeadLetters > 0 {
		t.Errorf("%d requests, %+v", n, p.Summary())
	}
	l.cfg.AllowPrivate, l.cfg.Once, l.cfg.Service = true, true, "allowed"
	if summary, err := Run(t.Context(), l.cfg); err != nil || summary.Delivered != 2 {
		t.Errorf("allowed: %+v, %v", summary, err)
	}
}
