//go:build unix

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// startPostgres makes a PostgreSQL cluster in the folder and starts it, on a socket there.
func (s *stage) startPostgres(ctx context.Context) error {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return errors.Join(err, errors.New("PostgreSQL is not installed: apt-get install postgresql"))
	}
	bin := filepath.Dir(found[len(found)-1])
	account, err := unprivileged(s.dir)
	if err != nil {
		return err
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(bin, name), args...) // stop ends it
		cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: account}
		return cmd
	}
	data := filepath.Join(s.dir, "data")
	s.say("nocode", "starts PostgreSQL with wal_level=logical")
	if said, err := run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	s.launch("postgres", run("postgres", "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "wal_level=logical"))
	return s.untilReady(ctx)
}

func (s *stage) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := execute(ctx, s.dsn("postgres"), "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// unprivileged is whom PostgreSQL runs as, who gets the folder: it refuses to run as root.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(os.Chmod(dir, 0o711), os.Chown(dir, int(uid), int(gid)))
}

func (s *stage) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s", database, s.dir)
}

func (s *stage) createDatabase(ctx context.Context, name string) (dsn string, err error) {
	return s.dsn(name), execute(ctx, s.dsn("postgres"), "CREATE DATABASE "+name)
}

// createOwner makes the owner's database, with a table of users.
func (s *stage) createOwner(ctx context.Context, rows int) (dsn string, err error) {
	dsn, err = s.createDatabase(ctx, "profile")
	if err != nil {
		return "", err
	}
	s.say("nocode", fmt.Sprintf("fills a table of %d users", rows))
	return dsn, errors.Join(
		execute(ctx, dsn, `CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email text, balance numeric(12,2) NOT NULL,
			active boolean NOT NULL, settings jsonb, password_hash text, changed timestamptz NOT NULL DEFAULT now())`),
		execute(ctx, dsn, `INSERT INTO users SELECT i, 'user ' || i, 'user' || i || '@example.org', i * 0.01, i % 3 > 0,
			jsonb_build_object('theme', i % 7), md5(i::text) FROM generate_series(1, $1::bigint) i`, rows))
}

func execute(ctx context.Context, dsn, statement string, args ...any) (err error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, statement, args...)
	return err
}

// change changes rows until ctx ends: of ten changes, one is a new row, one a delete, and
// the others are updates.
func change(ctx context.Context, dsn string, rate int) (err error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var last int64
	if err := db.QueryRowContext(ctx, "SELECT max(id) FROM users").Scan(&last); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second / time.Duration(max(rate, 1)))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		id := rand.Int64N(last) + 1
		switch rand.IntN(10) {
		case 0:
			last++
			_, err = db.ExecContext(ctx, "INSERT INTO users VALUES ($1, 'new user', NULL, 0, true, '{}', 'x')", last)
		case 1:
			_, err = db.ExecContext(ctx, "DELETE FROM users WHERE id = $1", id)
		default:
			_, err = db.ExecContext(ctx, "UPDATE users SET balance = balance + 0.01, changed = now() WHERE id = $1", id)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("change a row: %w", err)
		}
	}
}
