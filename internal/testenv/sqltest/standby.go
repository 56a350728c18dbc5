package sqltest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Standby starts a PostgreSQL that streams what the primary writes. If synchronous, a
// transaction of the primary commits only once the standby has it. Promote makes the
// standby a primary.
func Standby(tb testing.TB, primary *Server, synchronous bool) *Server {
	tb.Helper()
	bin, err := postgresBinaries()
	if err != nil {
		tb.Fatal(err)
	}
	run, dir := ownDir(tb, "postgres")
	settings := []string{"-c", "fsync=off", "-c", "full_page_writes=off"}
	s := &Server{tb: tb, atOnce: primary.atOnce}
	s.start = func(ctx context.Context) (*process, error) {
		data := filepath.Join(dir, "data")
		if _, copied := os.Stat(data); copied != nil {
			copying := command(ctx, run, dir, filepath.Join(bin, "pg_basebackup"), "-D", data, "-d", primary.dsn, "-X", "stream", "-c", "fast", "-R", "--no-sync")
			if err := runCommand(copying); err != nil {
				return nil, err
			}
		}
		p, err := runPostgres(ctx, run, bin, dir, settings)
		if err != nil {
			return nil, err
		}
		s.dsn = p.dsn("postgres")
		return p.process, nil
	}
	s.begin()
	if synchronous {
		primary.exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
		primary.exec("SELECT pg_reload_conf()")
	}
	return s
}

// Promote makes a standby a primary.
func (s *Server) Promote() {
	s.tb.Helper()
	s.exec("SELECT pg_promote()")
}

func (s *Server) exec(statement string) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		s.tb.Fatal(err)
	}
	_, err = conn.Exec(ctx, statement)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		s.tb.Fatalf("%s: %v", statement, err)
	}
}
