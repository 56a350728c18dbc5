package zkmap_test

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/replhub/replhub/internal/tree/treetest"
)

// handshakes is a proxy that meets some sessions at the moment they are
// granted, and forwards the others.
type handshakes struct {
	target   string
	forward  *treetest.Proxy
	listener net.Listener
	running  sync.WaitGroup
	on       func(handshake)

	mu    sync.Mutex // guards below
	toDo  int
	done  int
	conns []net.Conn
}

// handshake is one that is met: the server's response has not been passed on.
type handshake struct {
	client   *net.TCPConn
	response []byte
}

func (h handshake) answer(b []byte)    { _, _ = h.client.Write(b) }
func (h handshake) untilClientCloses() { _, _ = io.Copy(io.Discard, h.client) }
func (h handshake) reset()             { _ = h.client.SetLinger(0); _ = h.client.Close() }

// newHandshakes meets the first n sessions.
func newHandshakes(t *testing.T, target string, n int, on func(handshake)) *handshakes {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &handshakes{target: target, forward: treetest.NewProxy(t, target), listener: l, on: on, toDo: n}
	h.running.Go(h.accept)
	t.Cleanup(func() {
		_ = l.Close()
		h.resetAll()
		h.running.Wait()
	})
	return h
}

func (h *handshakes) addr() string { return h.listener.Addr().String() }

// meet has the next n sessions met.
func (h *handshakes) meet(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.toDo += n
}

func (h *handshakes) met() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done
}

// resetAll resets every connection.
func (h *handshakes) resetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		_ = c.Close()
	}
	h.conns = nil
	h.forward.Reset()
}

func (h *handshakes) accept() {
	for {
		c, err := h.listener.Accept()
		if err != nil {
			return
		}
		h.mu.Lock()
		target := h.forward.Addr()
		h.conns = append(h.conns, c)
		meets := h.toDo > 0
		if meets {
			target = h.target
			h.toDo--
		}
		h.mu.Unlock()
		h.running.Go(func() { h.serve(c.(*net.TCPConn), target, meets) })
	}
}

func (h *handshakes) serve(client *net.TCPConn, target string, meets bool) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	if !meets {
		var both sync.WaitGroup
		both.Go(func() { defer server.Close(); _, _ = io.Copy(server, client) })
		both.Go(func() { defer client.Close(); _, _ = io.Copy(client, server) })
		both.Wait()
		return
	}
	request, err := packet(client)
	if err != nil {
		return
	}
	if _, err := server.Write(request); err != nil {
		return
	}
	response, err := packet(server)
	if err != nil {
		return
	}
	h.mu.Lock()
	h.done++
	h.mu.Unlock()
	h.on(handshake{client, response})
}

// packet reads one packet with its length.
func packet(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head))
	_, err := io.ReadFull(r, body)
	return slices.Concat(head, body), err
}
