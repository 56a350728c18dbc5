package kvmap_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/internal/tree/treetest"
	"github.com/replhub/replhub/kvmap"
)

// startServer starts a server and tells its address.
func startServer(t *testing.T) (server *natstest.Server, addr string) {
	t.Helper()
	server = natstest.Start(t)
	return server, strings.TrimPrefix(server.URL(), "nats://")
}

// connect dials an address as a hub would: again and again.
func connect(t *testing.T, addr string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(
		"nats://"+addr, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2),
		nats.ReconnectBufSize(-1),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func config(t *testing.T) kvmap.Config {
	t.Helper()
	return kvmap.Config{
		Records:   []string{"entities/*/*", "services/*", "hubs/*", "groups/*", "groups/*/*"},
		MemberTTL: time.Second,
		Logger:    slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func newMap(t *testing.T, js jetstream.JetStream, cfg kvmap.Config) *kvmap.Map {
	t.Helper()
	m, err := kvmap.New(js, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// start returns a running map that has loaded.
func start(t *testing.T, js jetstream.JetStream, cfg kvmap.Config) *kvmap.Map {
	t.Helper()
	m := newMap(t, js, cfg)
	treetest.Start(t, m)
	treetest.Loaded(t, m)
	return m
}
