package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/kvmap"
)

// A hub that reconnects to a server that is too old ends, as one that starts there does.
func TestReconnectToAnOldServer(t *testing.T) {
	w := newWorld(t)
	nc, err := nats.Connect(w.url+","+natstest.StartOld(t, "2.11.9"), nats.DontRandomize(), nats.MaxReconnects(-1), nats.ReconnectWait(1))
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
	old := strings.TrimPrefix(natstest.StartOld(t, "2.11.9"), "nats://")
	w := &world{t: t, patience: 20 * time.Second}
	w.url = natstest.StartSaying(t, fmt.Sprintf(`"version":"2.15.2","cluster":"c","connect_urls":[%q]`, old))
	w.startIsRefused("2.11.9 is too old", "2.12 or later")
}
