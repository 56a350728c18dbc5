package natstest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// StartOld answers like a nats-server of an older version, as far as a connection goes,
// and returns the URL. No such server can be built from this module; the scenarios in e2e
// run real ones.
func StartOld(tb testing.TB, version string) string {
	tb.Helper()
	return StartSaying(tb, fmt.Sprintf(`"version":%q`, version))
}

// StartSaying answers like a nats-server that tells the given members of its INFO, as far
// as a connection goes, and returns the URL.
func StartSaying(tb testing.TB, info string) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	tb.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { speak(conn, info) })
		}
	})
	return "nats://" + listener.Addr().String()
}

func speak(conn net.Conn, info string) {
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "INFO {\"server_id\":\"OLD\",%s,\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n", info)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "PING") {
			fmt.Fprintf(conn, "PONG\r\n")
		}
	}
}
