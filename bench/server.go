package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// pollEvery is the time between two looks at something that is awaited, and
// with it how exact a clock stops.
const pollEvery = 5 * time.Millisecond

// server is a nats-server process of its own with JetStream at its defaults and
// an empty store on disk, and a connection to it.
type server struct {
	proc *process
	dir  string
	url  string
	nc   *nats.Conn
	js   jetstream.JetStream
}

// startServer runs a nats-server and returns once JetStream answers.
func (l *lab) startServer(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp(l.dir, "nats-")
	if err != nil {
		return nil, fmt.Errorf("make a store: %w", err)
	}
	s := &server{dir: dir}
	if err := s.start(ctx, l.natsServer); err != nil {
		return nil, errors.Join(fmt.Errorf("start nats-server: %w", err), s.stop())
	}
	return s, nil
}

func (s *server) start(ctx context.Context, binary string) error {
	// The server finds a free port and writes it down: no port is guessed.
	config := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nports_file_dir: %q\njetstream {store_dir: %q}\n", s.dir, filepath.Join(s.dir, "store"))
	path := filepath.Join(s.dir, "nats-server.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	var err error
	if s.proc, err = startProcess(ctx, filepath.Join(s.dir, "log"), os.Environ(), binary, "-c", path); err != nil {
		return err
	}
	if err := s.proc.await(ctx, "its port", s.findPort); err != nil {
		return err
	}
	if s.nc, err = nats.Connect(s.url); err != nil {
		return fmt.Errorf("connect to %s: %w", s.url, err)
	}
	if s.js, err = jetstream.New(s.nc); err != nil {
		return err
	}
	return s.proc.await(ctx, "JetStream", func(ctx context.Context) error {
		_, err := s.js.AccountInfo(ctx)
		return err
	})
}

// findPort reads the file in which the server writes down where it listens.
func (s *server) findPort(context.Context) error {
	data, err := os.ReadFile(filepath.Join(s.dir, fmt.Sprintf("nats-server_%d.ports", s.proc.Pid())))
	if err != nil {
		return err
	}
	var ports struct {
		NATS []string `json:"nats"`
	}
	if err := json.Unmarshal(data, &ports); err != nil {
		return fmt.Errorf("decode its ports: %w", err)
	}
	if len(ports.NATS) == 0 {
		return errors.New("it listens nowhere")
	}
	s.url = ports.NATS[0]
	return nil
}

// kill ends the server at once, for one whose orderly end would take minutes: it
// writes down each of its streams.
func (s *server) kill() error {
	s.nc.Close()
	return errors.Join(s.proc.Kill(), os.RemoveAll(s.dir))
}

// stop ends the server and removes its store.
func (s *server) stop() error {
	if s.nc != nil {
		s.nc.Close()
	}
	var err error
	if s.proc != nil {
		err = s.proc.stop()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
