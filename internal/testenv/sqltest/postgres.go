package sqltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
)

type postgres struct {
	*process
}

// startPostgres makes a cluster in a temporary folder and starts it, with the
// least care for its data.
func startPostgres(ctx context.Context) (server, error) {
	return startPostgresWith(ctx, "-c", "fsync=off", "-c", "full_page_writes=off")
}

// startSyncedPostgres starts one with the care that PostgreSQL takes by default.
func startSyncedPostgres(ctx context.Context) (server, error) { return startPostgresWith(ctx) }

func startPostgresWith(ctx context.Context, settings ...string) (server, error) {
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	run, err := unprivileged("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(run)
	if err != nil {
		return nil, err
	}
	s, err := launchPostgres(ctx, run, bin, dir, settings)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func launchPostgres(ctx context.Context, run *account, bin, dir string, settings []string) (server, error) {
	// No locale: text compares by bytes, as it does in the other databases' tests.
	initdb := command(ctx, run, dir, filepath.Join(bin, "initdb"),
		"-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if err := runCommand(initdb); err != nil {
		return nil, err
	}
	return runPostgres(ctx, run, bin, dir, settings)
}

// runPostgres starts a server on the cluster in dir.
func runPostgres(ctx context.Context, run *account, bin, dir string, settings []string) (*postgres, error) {
	p, err := startProcess(run, dir, filepath.Join(bin, "postgres"),
		append([]string{
			"-D", filepath.Join(dir, "data"), "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200",
			// So that tests can read the log, each by a slot of its own.
			"-c", "wal_level=logical", "-c", "max_replication_slots=64", "-c", "max_wal_senders=64",
		}, settings...)...)
	if err != nil {
		return nil, err
	}
	s := &postgres{process: p}
	if err := p.Await(ctx, "PostgreSQL", func(ctx context.Context) error { return s.exec(ctx, "SELECT 1") }); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// postgresBinaries finds the folder of the newest PostgreSQL.
func postgresBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })
		return filepath.Dir(newest), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL is not installed (apt-get install postgresql): %w", err)
	}
	return filepath.Dir(initdb), nil
}

func postgresVersion(initdb string) int {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if err != nil {
		return 0 // a folder of another kind is never the newest
	}
	return version
}

func (s *postgres) dsn(name string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", s.dir, name)
}

func (s *postgres) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func (s *postgres) create(ctx context.Context, name string) (string, error) {
	return s.dsn(name), s.exec(ctx, "CREATE DATABASE "+name)
}

// stop ends the server at once: nothing in it is to be kept.
func (s *postgres) stop() error { return s.end(syscall.SIGQUIT) }
