// Package natstest gives a test a real nats-server with JetStream in its own
// process, which it can stop and start again.
package natstest

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/embedded"
)

// reconnectWait is how often a connection tries to come back.
const reconnectWait = 20 * time.Millisecond

// Server is a nats-server on a free port of the loopback. Its methods end the
// test when they fail, and belong to its goroutine.
type Server struct {
	tb  testing.TB
	cfg embedded.Config
	run *embedded.Server
}

// Start starts a server with these changes to its configuration; it is stopped
// when the test ends.
func Start(tb testing.TB, change ...func(*embedded.Config)) *Server {
	tb.Helper()
	s := &Server{tb: tb, cfg: embedded.Config{
		Port: embedded.FreePort, StoreDir: tb.TempDir(), Logger: slog.New(slog.NewTextHandler(tb.Output(), nil)),
	}}
	for _, c := range change {
		c(&s.cfg)
	}
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

// Start starts the server again after Stop, with what it had stored and on the
// port that it had.
func (s *Server) Start() {
	s.tb.Helper()
	run, err := embedded.Start(context.Background(), s.cfg)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.run = run
	u, err := url.Parse(run.ClientURL())
	if err != nil {
		s.tb.Fatal(err)
	}
	if s.cfg.Port, err = strconv.Atoi(u.Port()); err != nil {
		s.tb.Fatal(err)
	}
}

// Stop stops the server in good order. It may be called again.
func (s *Server) Stop() {
	s.tb.Helper()
	if err := s.run.Close(); err != nil {
		s.tb.Error(err)
	}
}

// StoreDir is the folder of the streams.
func (s *Server) StoreDir() string { return s.cfg.StoreDir }

// URL is where clients connect, also while the server is stopped.
func (s *Server) URL() string { return s.run.ClientURL() }

// Connect gives a connection that finds the server again when that was stopped
// in between. It is closed when the test ends.
func (s *Server) Connect(options ...nats.Option) *nats.Conn {
	s.tb.Helper()
	options = append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait)}, options...)
	nc, err := nats.Connect(s.URL(), options...)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(nc.Close)
	return nc
}

// JetStream is that of a connection of its own.
func (s *Server) JetStream() jetstream.JetStream {
	s.tb.Helper()
	js, err := jetstream.New(s.Connect())
	if err != nil {
		s.tb.Fatal(err)
	}
	return js
}
