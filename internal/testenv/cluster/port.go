package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Ports are taken from below the range that Linux gives to outgoing
// connections (32768 up): there, a client that dials a stopped server's port
// again and again may take it for itself, even by connecting to itself, and
// the server could not come back.
const (
	lowestPort  = 11000
	highestPort = 31999
)

// reservePort returns a free loopback port that no other test of this user
// gets until the test ends, so that a server may be stopped and started on it.
func reservePort(tb testing.TB) int {
	tb.Helper()
	dir, err := cacheDir("ports")
	if err != nil {
		tb.Fatalf("reserve a port: %v", err)
	}
	for range 200 {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		held, err := holdPort(dir, port)
		if err == nil {
			tb.Cleanup(func() { _ = held.Close() })
			return port
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EADDRINUSE) {
			tb.Fatalf("reserve port %d: %v", port, err)
		}
	}
	tb.Fatalf("reserve a port: none free from %d to %d", lowestPort, highestPort)
	return 0
}

// holdPort locks the port's file and makes sure that nothing listens there.
func holdPort(dir string, port int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := l.Close(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
