package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	_ "github.com/go-sql-driver/mysql" // the driver that exec uses
)

type mariadb struct {
	*process
}

// startMariaDB makes a data folder in a temporary one and starts a server on it.
func startMariaDB(ctx context.Context) (server, error) {
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return nil, fmt.Errorf("MariaDB is not installed (apt-get install mariadb-server): %w", err)
	}
	daemon, err := mariadbDaemon()
	if err != nil {
		return nil, err
	}
	run, err := unprivileged("mysql")
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(run)
	if err != nil {
		return nil, err
	}
	s, err := launchMariaDB(ctx, run, install, daemon, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// mariadbDaemon finds the server, which lies outside of an ordinary user's path.
func mariadbDaemon() (string, error) {
	if found, err := exec.LookPath("mariadbd"); err == nil {
		return found, nil
	}
	found, err := exec.LookPath("/usr/sbin/mariadbd")
	if err != nil {
		return "", fmt.Errorf("MariaDB is not installed (apt-get install mariadb-server): %w", err)
	}
	return found, nil
}

func launchMariaDB(ctx context.Context, run *account, install, daemon, dir string) (server, error) {
	err := runCommand(command(ctx, run, dir, install, append(mariadbOptions(dir),
		"--auth-root-authentication-method=normal", "--skip-test-db")...))
	if err != nil {
		return nil, err
	}
	return runMariaDB(ctx, run, daemon, dir)
}

func mariadbOptions(dir string) []string {
	return []string{
		"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--tmpdir=" + dir,
		"--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=2", "--innodb-log-file-size=32M",
	}
}

// runMariaDB starts a server on the data folder in dir.
func runMariaDB(ctx context.Context, run *account, daemon, dir string) (*mariadb, error) {
	p, err := startProcess(run, dir, daemon, append(mariadbOptions(dir),
		"--skip-networking", "--socket="+filepath.Join(dir, "socket"), "--max-connections=200",
		"--character-set-server=utf8mb4", "--performance-schema=OFF")...)
	if err != nil {
		return nil, err
	}
	s := &mariadb{process: p}
	if err := p.Await(ctx, "MariaDB", func(ctx context.Context) error { return s.exec(ctx, "DO 1") }); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *mariadb) dsn(name string) string {
	return fmt.Sprintf("root@unix(%s)/%s?parseTime=true", filepath.Join(s.dir, "socket"), name)
}

func (s *mariadb) exec(ctx context.Context, statement string) error {
	db, err := sql.Open("mysql", s.dsn(""))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

func (s *mariadb) create(ctx context.Context, name string) (string, error) {
	return s.dsn(name), s.exec(ctx, "CREATE DATABASE "+name)
}

// stop ends the server at once: nothing in it is to be kept.
func (s *mariadb) stop() error { return s.end(syscall.SIGKILL) }
