package zkmap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// errAbandoned refuses a second connection to a session that lost its first.
var errAbandoned = errors.New("session abandoned")

// sockets makes the connections of one zk.Conn. Once that has had a session it
// gets no other socket: see session.
type sockets struct {
	tls     *tls.Config
	rootCAs func() (*x509.CertPool, error) // nil where tls has them

	mu        sync.Mutex // guards below
	abandoned bool
	open      net.Conn
	failed    error // why the latest dial failed; nil when it did not
}

// dial is a zk.Dialer. The library takes a dialer without a context; its
// timeout is one second.
func (s *sockets) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	s.mu.Lock()
	refused := s.abandoned
	s.mu.Unlock()
	if refused {
		return nil, errAbandoned
	}
	conn, err := s.connect(network, address, timeout)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
	if err != nil {
		return nil, err
	}
	if s.abandoned {
		return nil, errors.Join(errAbandoned, conn.Close())
	}
	s.open = conn
	return conn, nil
}

func (s *sockets) connect(network, address string, timeout time.Duration) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	if s.tls == nil {
		return dialer.Dial(network, address)
	}
	config := s.tls
	if s.rootCAs != nil {
		config = config.Clone()
		var err error
		if config.RootCAs, err = s.rootCAs(); err != nil {
			return nil, err
		}
	}
	return tls.DialWithDialer(dialer, network, address, config) //nolint:noctx // the library dials without a context; the timeout bounds it
}

// failure tells why the latest dial failed, which the library only logs.
func (s *sockets) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// refuse lets no further dial succeed.
func (s *sockets) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned = true
}

// close cuts the open socket: the library's reader has no other end.
func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned = true
	if s.open != nil {
		_ = s.open.Close()
	}
}

// hosts hands out the servers in turn, by name: the library's own provider
// resolves names once and for all, and would have TLS check addresses.
type hosts struct {
	mu      sync.Mutex // guards below
	servers []string
	next    int
	tried   int
}

// Init keeps the servers, in an order of our own so that clients spread.
func (h *hosts) Init(servers []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers = servers
	h.next = rand.IntN(len(servers))
	return nil
}

// Len returns the number of servers.
func (h *hosts) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.servers)
}

// Next returns the server to try, and true (the library then waits a second)
// when all were tried in vain.
func (h *hosts) Next() (server string, retryStart bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tried == len(h.servers) {
		h.tried, retryStart = 0, true
	}
	h.tried++
	h.next = (h.next + 1) % len(h.servers)
	return h.servers[h.next], retryStart
}

// Connected begins a new round.
func (h *hosts) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = 0
}

// libraryLog hands the library's lines to slog, for who debugs.
type libraryLog struct{ log *slog.Logger }

// Printf implements zk.Logger.
func (l libraryLog) Printf(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("zookeeper client", "line", fmt.Sprintf(format, args...))
	}
}

var (
	_ zk.HostProvider = (*hosts)(nil)
	_ zk.Logger       = libraryLog{}
)
