// Package rolestest gives a test a nats-server with TLS whose users have the
// permissions that "replhub auth" prints, and tells which of them the server denied
// something.
package rolestest

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/internal/testenv/certtest"
)

// Layout is how users are spread over accounts.
type Layout string

// The layouts that docs/security.md describes.
const (
	OneAccount  Layout = "one account"
	TwoAccounts Layout = "two accounts"
)

// The users that are no service, by their role.
const (
	Hub      = "hub"
	Operator = "operator"
	Observer = "observer"
	// Root may do everything in the hub's account. No role has that: tests look
	// with it at what became of things.
	Root = "root"
)

// password is every user's.
const password = "secret"

// Server is a running server. Its methods may be called concurrently, but for those
// that end a test.
type Server struct {
	tb     testing.TB
	layout Layout
	roles  map[string]permissions.Permissions
	nats   *server.Server
	// CA is the file of the authority that signed the server's certificate.
	CA  string
	log violations
}

// Start runs a server with a user for each service, named as the service is, and one
// for each other role. extra is added to the configuration.
func Start(tb testing.TB, layout Layout, extra string, services ...permissions.ServiceRole) *Server {
	tb.Helper()
	s := &Server{tb: tb, layout: layout, roles: map[string]permissions.Permissions{
		Hub: permissions.Hub(""), Operator: permissions.Operator(""), Observer: permissions.Observer(),
	}}
	for _, role := range services {
		s.roles[role.Name.String()] = permissions.Service(role, s.domain())
	}
	dir := tb.TempDir()
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(s.config(dir)+extra), 0o600); err != nil {
		tb.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		tb.Fatalf("%v in\n%s", err, s.config(dir))
	}
	ca := certtest.New(tb)
	s.CA = ca.File()
	opts.NoSigs, opts.TLS, opts.TLSTimeout, opts.AuthTimeout = true, true, 10, 10
	opts.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.Issue("127.0.0.1")}, MinVersion: tls.VersionTLS12}
	if s.nats, err = server.NewServer(opts); err != nil {
		tb.Fatal(err)
	}
	s.nats.SetLoggerV2(&s.log, false, false, false)
	s.nats.Start()
	tb.Cleanup(func() {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
	})
	if !s.nats.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the server is not ready")
	}
	return s
}

// domain is the JetStream domain that services ask.
func (s *Server) domain() string {
	if s.layout == TwoAccounts {
		return permissions.DomainServices
	}
	return ""
}

// Domain is the JetStream domain that a user asks.
func (s *Server) Domain(user string) string {
	if s.isService(user) {
		return s.domain()
	}
	return ""
}

func (s *Server) isService(user string) bool {
	return !slices.Contains([]string{Hub, Operator, Observer, Root}, user)
}

// config is the server's configuration, of what "replhub auth" prints.
func (s *Server) config(dir string) string {
	var inHub, inServices strings.Builder
	for name, p := range s.roles {
		to := &inHub
		if s.isService(name) {
			to = &inServices
		}
		fmt.Fprintf(to, "{user: %q, password: %q\n%s}\n", name, password, p.NATSConfig())
	}
	fmt.Fprintf(&inHub, "{user: %q, password: %q}\n", Root, password)
	head := fmt.Sprintf("listen: \"127.0.0.1:-1\"\njetstream { store_dir: %q }\n", dir)
	if s.layout == OneAccount {
		return fmt.Sprintf("%saccounts { %s { jetstream: enabled, users: [\n%s%s] } }\n", head, permissions.AccountHub, &inHub, &inServices)
	}
	hub, services := permissions.Accounts()
	return fmt.Sprintf("%saccounts {\n%s {\njetstream: enabled\nusers: [\n%s]\n%s}\n%s {\nusers: [\n%s]\n%s}\n}\n",
		head, hub.Name, &inHub, hub.NATSConfig(), services.Name, &inServices, services.NATSConfig())
}

// URL is where the server listens, with a user's name and password in it; without
// them for an empty name.
func (s *Server) URL(user string) string {
	if user == "" {
		return s.nats.ClientURL()
	}
	return strings.Replace(s.nats.ClientURL(), "://", "://"+user+":"+password+"@", 1)
}

// InboxPrefix is that of a user.
func (s *Server) InboxPrefix(user string) string {
	return cmp.Or(s.roles[user].InboxPrefix, "_INBOX")
}

// Connect connects as a user. The connection is closed when the test ends.
func (s *Server) Connect(user string) *nats.Conn {
	s.tb.Helper()
	nc, err := nats.Connect(s.URL(user), nats.RootCAs(s.CA), nats.CustomInboxPrefix(s.InboxPrefix(user)), nats.Name(user),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // the server's log has them
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(nc.Close)
	return nc
}

// JetStream is that of a connection, of the domain that its user asks.
func (s *Server) JetStream(nc *nats.Conn) jetstream.JetStream {
	s.tb.Helper()
	js, err := jetstream.New(nc)
	if domain := s.Domain(nc.Opts.Name); domain != "" {
		js, err = jetstream.NewWithDomain(nc, domain)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	return js
}

// Violations are the server's words on what it denied so far, each but once, and
// forgets them.
func (s *Server) Violations() []string { return s.log.take() }

// violations is a server's log of which the violations are kept.
type violations struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (v *violations) take() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	lines := v.lines
	v.lines = nil
	slices.Sort(lines)
	return slices.Compact(lines)
}

// Errorf keeps a violation.
func (v *violations) Errorf(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); strings.Contains(line, "Violation") {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.lines = append(v.lines, line)
	}
}

// The server writes no violations at other levels.

// Noticef does nothing.
func (v *violations) Noticef(string, ...any) {}

// Warnf does nothing.
func (v *violations) Warnf(string, ...any) {}

// Fatalf does nothing.
func (v *violations) Fatalf(string, ...any) {}

// Debugf does nothing.
func (v *violations) Debugf(string, ...any) {}

// Tracef does nothing.
func (v *violations) Tracef(string, ...any) {}
