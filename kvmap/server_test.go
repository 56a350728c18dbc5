package kvmap_test

import (
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/kvmap"
	"github.com/replhub/replhub/tree/treetest"
)

// natsServer is a real server with JetStream in this process, on a free
// loopback port that it keeps.
type natsServer struct {
	opts server.Options
	run  *server.Server
}

func startServer(t *testing.T) *natsServer {
	t.Helper()
	s := &natsServer{opts: server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	}}
	s.start(t)
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *natsServer) start(t *testing.T) {
	t.Helper()
	opts := s.opts
	run, err := server.NewServer(&opts)
	if err != nil {
		t.Fatal(err)
	}
	run.Start()
	if !run.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats-server is not ready")
	}
	s.opts.Port = opts.Port
	s.run = run
}

func (s *natsServer) stop() {
	if s.run == nil {
		return
	}
	s.run.Shutdown()
	s.run.WaitForShutdown()
	s.run = nil
}

func (s *natsServer) addr() string {
	return net.JoinHostPort(s.opts.Host, strconv.Itoa(s.opts.Port))
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
		Records:   []string{"entities/*/*", "services/*", "hubs/*"},
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
