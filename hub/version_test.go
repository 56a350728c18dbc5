package hub_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/kvmap"
)

// startOldServer answers like a nats-server of version 2.11, as far as a connection goes.
func startOldServer(t *testing.T) string { return startServerLike(t, `"version":"2.11.9"`) }

// startServerLike answers like a nats-server that says this of itself, as far as a
// connection goes.
func startServerLike(t *testing.T, info string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				fmt.Fprintf(conn, "INFO {\"server_id\":\"FAKE\",%s,\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n", info)
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "PING") {
						fmt.Fprintf(conn, "PONG\r\n")
					}
				}
			})
		}
	})
	return "nats://" + listener.Addr().String()
}

// A hub that reconnects to a server that is too old ends, as one that starts there does.
func TestReconnectToAnOldServer(t *testing.T) {
	w := newWorld(t)
	nc, err := nats.Connect(w.url+","+startOldServer(t), nats.DontRandomize(), nats.MaxReconnects(-1), nats.ReconnectWait(1))
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.New(hub.Config{Conn: nc, Registry: registry, Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		ended <- h.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
		nc.Close()
	})
	w.await(h.Ready(), ended)
	w.stopServer()
	w.refused(ended, "2.11.9 is too old", "2.12 or later")
}

// A cluster with one server that is too old is refused, whichever server the hub is
// connected to: streams may lie on that server.
func TestClusterWithAnOldServer(t *testing.T) {
	old := strings.TrimPrefix(startOldServer(t), "nats://")
	w := &world{t: t, patience: 5 * time.Second}
	w.url = startServerLike(t, fmt.Sprintf(`"version":"2.15.2","cluster":"c","connect_urls":[%q]`, old))
	w.startIsRefused("2.11.9 is too old", "2.12 or later")
}
