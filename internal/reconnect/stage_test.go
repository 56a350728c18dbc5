package reconnect_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/replhub/replhub/internal/reconnect"
	"github.com/replhub/replhub/internal/testenv/certtest"
)

// stage is a server, and a connection to it by files.
type stage struct {
	t       *testing.T
	dir     string
	server  *server.Server
	options *server.Options
	nc      *nats.Conn
	log     recorder
	closed  chan struct{}
}

type recorder struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *recorder) count(words string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.buf.String(), words)
}

func (s *stage) start(options *server.Options) {
	s.t.Helper()
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	srv, err := server.NewServer(options)
	if err != nil {
		s.t.Fatal(err)
	}
	srv.Start()
	s.t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(20 * time.Second) {
		s.t.Fatal("nats-server did not start")
	}
	s.server, s.options = srv, options
}

func (s *stage) reload(change func(*server.Options)) {
	s.t.Helper()
	s.options = s.options.Clone()
	change(s.options)
	if err := s.server.ReloadOptions(s.options); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) write(name string, text []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// connect connects by files, with options that give up.
func (s *stage) connect(files reconnect.Files, more ...nats.Option) {
	s.t.Helper()
	supervisor := reconnect.NewSupervisor(slog.New(slog.NewTextHandler(&s.log, nil)))
	reconnect.Settle(supervisor, 300*time.Millisecond)
	opts, err := supervisor.Options(files)
	if err != nil {
		s.t.Fatal(err)
	}
	s.closed = make(chan struct{})
	opts = append(opts, nats.NoReconnect(), nats.MaxReconnects(1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ClosedHandler(func(*nats.Conn) { close(s.closed) }))
	opts = append(append(opts, more...), supervisor.Option())
	if s.nc, err = nats.Connect(s.server.ClientURL(), opts...); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.nc.Close)
}

func (s *stage) eventually(what string, check func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !check() {
		select {
		case <-s.closed:
			s.t.Fatalf("the connection was closed for good while waiting for %s", what)
		case <-deadline:
			s.t.Fatalf("waited in vain for %s; the log:\n%s", what, s.log.buf.String())
		case <-tick.C:
		}
	}
}

// refused waits until the server has refused the connection some times, which the
// log says once.
func (s *stage) refused(advice string) {
	s.t.Helper()
	s.eventually("word on the trouble", func() bool { return s.log.count(advice) > 0 })
	before := s.nc.Stats().Reconnects // of attempts that got as far as the server
	s.eventually("more attempts", func() bool { return s.nc.Stats().Reconnects >= before+3 })
	if n := s.log.count(advice); n != 1 {
		s.t.Errorf("said %d times", n)
	}
}

func (s *stage) back() {
	s.t.Helper()
	if n := s.log.count("connected to NATS again"); n != 0 {
		s.t.Errorf("said to be over %d times meanwhile", n)
	}
	s.eventually("the connection to be back", func() bool { return s.log.count("connected to NATS again") == 1 })
	if _, err := s.nc.RTT(); err != nil {
		s.t.Error(err)
	}
}

func eachStage(t *testing.T, stages map[string]func(*stage)) {
	t.Helper()
	for name, play := range stages {
		t.Run(name, func(t *testing.T) { play(&stage{t: t, dir: t.TempDir(), closed: make(chan struct{})}) })
	}
}

// trust is an operator with an account, whose users' JWTs a server takes.
type trust struct {
	t       *testing.T
	account nkeys.KeyPair
	options *server.Options
}

func newTrust(t *testing.T) *trust {
	t.Helper()
	operator, err1 := nkeys.CreateOperator()
	account, err2 := nkeys.CreateAccount()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	signed, err := jwt.NewAccountClaims(public(t, account)).Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(public(t, account), signed); err != nil {
		t.Fatal(err)
	}
	return &trust{t: t, account: account, options: &server.Options{TrustedKeys: []string{public(t, operator)}, AccountResolver: resolver}}
}

func public(t *testing.T, pair nkeys.KeyPair) string {
	t.Helper()
	key, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// user is a credentials file of a new user that expires.
func (r *trust) user(life time.Duration) []byte {
	r.t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		r.t.Fatal(err)
	}
	claims := jwt.NewUserClaims(public(r.t, pair))
	claims.Expires = time.Now().Add(life).Unix()
	signed, err1 := claims.Encode(r.account)
	seed, err2 := pair.Seed()
	if err := errors.Join(err1, err2); err != nil {
		r.t.Fatal(err)
	}
	file, err := jwt.FormatUserConfig(signed, seed)
	if err != nil {
		r.t.Fatal(err)
	}
	return file
}

// bothSides is a server's TLS that wants a certificate of the authority from clients.
func bothSides(ca certtest.Authority) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.Issue("127.0.0.1")},
		ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}
}

// tlsFiles writes the authority's certificate and a pair of the client.
func (s *stage) tlsFiles(ca certtest.Authority) reconnect.Files {
	cert, key := ca.PairPEM(ca.Issue("127.0.0.1"))
	return reconnect.Files{CA: s.write("ca.pem", ca.PEM()), Key: s.write("key.pem", key), Cert: s.write("cert.pem", cert)}
}
