package sqltest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Server is a database server of one test's own, which the test can stop and
// start again. Its methods end the test when they fail, and belong to its
// goroutine.
type Server struct {
	tb      testing.TB
	dsn     string
	process *process // nil while it is stopped
	start   func(ctx context.Context) (*process, error)
	atOnce  syscall.Signal // ends the server and all that it has started
}

// OwnPostgres starts a PostgreSQL for one test; it is gone with the test. A
// benchmark's waits for its disk, as with Postgres.
func OwnPostgres(tb testing.TB) *Server {
	tb.Helper()
	bin, err := postgresBinaries()
	if err != nil {
		tb.Fatal(err)
	}
	run, dir := ownDir(tb, "postgres")
	settings := []string{"-c", "fsync=off", "-c", "full_page_writes=off"}
	if _, ok := tb.(*testing.B); ok {
		settings = nil
	}
	s := &Server{tb: tb, atOnce: syscall.SIGQUIT}
	s.start = func(ctx context.Context) (*process, error) {
		var p *postgres
		var err error
		if _, initialised := os.Stat(filepath.Join(dir, "data")); initialised == nil {
			p, err = runPostgres(ctx, run, bin, dir, settings)
		} else {
			var first server
			if first, err = launchPostgres(ctx, run, bin, dir, settings); err == nil {
				p = first.(*postgres) //nolint:forcetypeassert // that is what it makes
			}
		}
		if err != nil {
			return nil, err
		}
		s.dsn = p.dsn("postgres")
		return p.process, nil
	}
	s.begin()
	return s
}

// OwnMariaDB starts a MariaDB for one test; it is gone with the test.
func OwnMariaDB(tb testing.TB) *Server {
	tb.Helper()
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		tb.Fatalf("MariaDB is not installed (apt-get install mariadb-server): %v", err)
	}
	daemon, err := mariadbDaemon()
	if err != nil {
		tb.Fatal(err)
	}
	run, dir := ownDir(tb, "mysql")
	s := &Server{tb: tb, atOnce: syscall.SIGKILL}
	s.start = func(ctx context.Context) (*process, error) {
		var p *mariadb
		var err error
		if _, initialised := os.Stat(filepath.Join(dir, "data")); initialised == nil {
			p, err = runMariaDB(ctx, run, daemon, dir)
		} else {
			var first server
			if first, err = launchMariaDB(ctx, run, install, daemon, dir); err == nil {
				p = first.(*mariadb) //nolint:forcetypeassert // that is what it makes
			}
		}
		if err != nil {
			return nil, err
		}
		s.dsn = p.dsn("mysql")
		return p.process, nil
	}
	s.begin()
	return s
}

func ownDir(tb testing.TB, name string) (run *account, dir string) {
	tb.Helper()
	run, err := unprivileged(name)
	if err != nil {
		tb.Fatal(err)
	}
	if dir, err = makeDir(run); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return run, dir
}

func (s *Server) begin() {
	s.tb.Helper()
	s.Start()
	s.tb.Cleanup(s.Crash) // before the folder goes
}

// DSN is that of the server's own database, the same after each start.
func (s *Server) DSN() string { return s.dsn }

// Start starts the server with what it had stored.
func (s *Server) Start() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	p, err := s.start(ctx)
	if err != nil {
		s.tb.Fatalf("start a database server: %v", err)
	}
	s.process = p
}

// Crash ends the server at once, and nothing in good order.
func (s *Server) Crash() {
	s.tb.Helper()
	s.Stop(s.atOnce)
}

// Stop ends the server by a signal, and waits until it has ended. PostgreSQL
// knows SIGTERM, SIGINT and SIGQUIT for its modes smart, fast and immediate.
func (s *Server) Stop(sig syscall.Signal) {
	s.tb.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Stop(sig, endWithin); err != nil {
		s.tb.Errorf("stop a database server: %v", err)
	}
	s.process = nil
}

// Freeze has the server's first process stand still until thaw is called: a new
// connection gets no answer.
func (s *Server) Freeze() (thaw func()) {
	s.tb.Helper()
	p := s.process
	if err := p.Freeze(); err != nil {
		s.tb.Fatal(err)
	}
	return func() {
		if err := p.Thaw(); err != nil {
			s.tb.Error(err)
		}
	}
}
