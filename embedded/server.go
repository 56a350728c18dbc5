package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors that callers may test with errors.Is.
var (
	// ErrPortTaken means that another process listens on Config.Port.
	ErrPortTaken = errors.New("the port is taken")
	// ErrStoreInUse means that another server holds Config.StoreDir.
	ErrStoreInUse = errors.New("the folder is in use by another server")
)

// Server is a running nats-server. Its methods may be called concurrently.
type Server struct {
	nats  *server.Server
	store *store
	close func() error
}

// Start runs a server and returns once JetStream answers. The context bounds
// the wait for that answer only: reading a large store back is not cut short,
// and the server runs until Close. An error is one line that says what to do,
// and leaves nothing running; see ErrPortTaken and ErrStoreInUse.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	store, err := openStore(cfg.StoreDir)
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(options(cfg, store.dir))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("configure nats-server: %w", err), store.close())
	}
	s := &Server{nats: srv, store: store}
	s.close = sync.OnceValue(s.shutdown)
	if err := s.run(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func options(cfg Config, dir string) *server.Options {
	return &server.Options{
		Host:                   cfg.Host,
		Port:                   cfg.Port,
		JetStream:              true,
		StoreDir:               dir,
		SyncAlways:             cfg.SyncAlways,
		SyncInterval:           cfg.SyncInterval,
		MaxPayload:             int32(cfg.MaxPayload), // validate bounds it
		NoSigs:                 true,                  // signals are the process owner's
		DisableJetStreamBanner: true,
	}
}

func (s *Server) run(ctx context.Context, cfg Config) error {
	log := &bridge{log: cfg.Logger}
	s.nats.SetLoggerV2(log, false, false, false)
	s.nats.Start()
	if err := log.err(); err != nil {
		return startError(cfg, err)
	}
	nc, err := s.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("ask JetStream: %w", err)
	}
	if _, err := js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("wait for JetStream: %w", err)
	}
	return nil
}

// startError says in one line what kept the server from starting.
func startError(cfg Config, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		addr := net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
		return fmt.Errorf("listen on %s: %w; stop what listens there or choose another port", addr, ErrPortTaken)
	}
	return fmt.Errorf("start nats-server: %w", err)
}

// ClientURL is the URL for clients, such as "nats://127.0.0.1:4222".
func (s *Server) ClientURL() string { return s.nats.ClientURL() }

// StoreDir is the folder of the streams.
func (s *Server) StoreDir() string { return s.store.dir }

// Connect connects within the process, through no socket. The caller closes
// the connection.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect("", append(opts, nats.InProcessServer(s.nats))...)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded nats-server: %w", err)
	}
	return nc, nil
}

// Close stops the server, waits until all of it has ended, and removes the
// store folder if it was a temporary one. Messages that were acknowledged are
// on disk then. Further calls return what the first one did.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() error {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	if err := s.store.close(); err != nil {
		return fmt.Errorf("close store folder: %w", err)
	}
	return nil
}
