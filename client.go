package replhub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/pause"
	"github.com/replhub/replhub/internal/reconnect"
	"github.com/replhub/replhub/subjects"
)

// Client publishes events and registers interests. Connect makes it. All its methods
// may be called concurrently.
type Client struct {
	cfg     Config
	log     *slog.Logger
	nc      *nats.Conn
	own     bool // nc is closed with the client
	js      jetstream.JetStream
	service subjects.Name // zero when Config.Service is empty

	reconnects *reconnects
	replies    *replies
	order      keyOrder
	room       chan struct{} // a token for each event of MaxPending
	inflight   inflight
	serving    inflight // calls of ServeRows, which end when closed is closed
	batches    batchState

	closing sync.Once
	closed  chan struct{} // closed when the calls under way have to end
}

// Connect connects to NATS. Without Config.WaitForHub it returns ErrNoServer at once
// when no server listens, and does not need a hub. With Config.WaitForHub it returns
// once a hub answers. The context bounds only Connect; the client lives until Close.
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	service, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	nc := cfg.Conn
	if nc == nil {
		if nc, err = dial(ctx, cfg); err != nil {
			return nil, err
		}
	}
	c := &Client{
		cfg: cfg, log: cfg.Logger, nc: nc, own: cfg.Conn == nil, service: service,
		room: make(chan struct{}, cfg.MaxPending), closed: make(chan struct{}),
	}
	if err := c.open(ctx); err != nil {
		if c.own {
			nc.Close()
		}
		return nil, err
	}
	return c, nil
}

func (c *Client) open(ctx context.Context) (err error) {
	c.js, err = jetstream.New(c.nc)
	if c.cfg.Domain != "" {
		c.js, err = jetstream.NewWithDomain(c.nc, c.cfg.Domain)
	}
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	if c.replies, err = newReplies(c.nc); err != nil {
		return fmt.Errorf("subscribe to replies: %w", err)
	}
	c.reconnects = newReconnects(c.nc)
	if !c.cfg.WaitForHub {
		return nil
	}
	if err := c.waitForHub(ctx); err != nil {
		c.Close()
		return err
	}
	return nil
}

// Service is the name given in Config; empty when none was.
func (c *Client) Service() string { return c.service.String() }

// Close ends the calls under way, waits for them, and closes the connection unless it
// is Config.Conn. A publish without an answer ends with ErrClosed and
// ErrUnknownOutcome. Further calls of Close do nothing.
func (c *Client) Close() {
	c.closing.Do(func() {
		idle := c.inflight.stop()
		close(c.closed)
		<-idle
		<-c.serving.stop()
		c.reconnects.close()
		c.replies.close()
		if c.own {
			c.nc.Close()
		}
	})
}

// Drain refuses new calls, waits until the calls under way have ended or ctx ends,
// and closes the client. An error says that some calls were cut short.
func (c *Client) Drain(ctx context.Context) error {
	defer c.Close()
	select {
	case <-c.inflight.stop():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain: %w", context.Cause(ctx))
	}
}

// dialWait is the time between attempts to reach a server.
const dialWait = 500 * time.Millisecond

// dial makes the client's own connection.
func dial(ctx context.Context, cfg Config) (*nats.Conn, error) {
	name := "replhub"
	var inbox []nats.Option
	if cfg.Service != "" {
		name += " " + cfg.Service
		inbox = append(inbox, nats.CustomInboxPrefix(contract.InboxPrefix(cfg.Service)))
	}
	supervisor := reconnect.NewSupervisor(cfg.Logger)
	files, err := supervisor.Options(cfg.Credentials.files())
	if err != nil {
		return nil, fmt.Errorf("config: Credentials: %w", err)
	}
	opts := slices.Concat(
		[]nats.Option{nats.Name(name), nats.Timeout(cfg.Timeout), nats.ReconnectWait(dialWait)},
		reconnect.Alive(), inbox, files, cfg.Options, []nats.Option{supervisor.Option()},
	)
	for refused := false; ; {
		nc, err := nats.Connect(cfg.URL, opts...)
		if err == nil {
			return nc, nil
		}
		again := reconnect.Refusal(err)
		err = connectError(cfg.URL, err)
		if !cfg.WaitForHub || !errors.Is(err, ErrNoServer) && !again {
			return nil, err
		}
		if again && !refused {
			refused = true
			cfg.Logger.Warn("the server refuses this client; trying again", "err", err)
		}
		if ctxErr := pause.For(ctx, dialWait); ctxErr != nil {
			return nil, fmt.Errorf("%w: %w", err, ctxErr)
		}
	}
}

func connectError(urls string, err error) error {
	at := reconnect.WithoutSecrets(urls)
	err = reconnect.WithoutURL(err)
	_, network := errors.AsType[*net.OpError](err)
	if network || errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) {
		return fmt.Errorf("connect to NATS at %s: %w; start replhub dev, or say where in Config.URL", at, ErrNoServer)
	}
	return fmt.Errorf("connect to NATS at %s: %w", at, err)
}
