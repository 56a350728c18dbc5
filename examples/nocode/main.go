//go:build unix

// Nocode keeps a table of one PostgreSQL database equal to a table of another, with the
// commands of replhub and no code: it fills a table of users, captures it, applies it
// elsewhere while it changes, and verifies that both are equal.
//
//	go run ./examples/nocode                                    20,000 rows, ten seconds of changes
//	go run ./examples/nocode -rows 1000000 -rate 500 -for 1m
//
// It runs Debian's PostgreSQL (apt-get install postgresql) in a temporary folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/replhub/replhub/examples/internal/programs"
)

func main() {
	ctx, stop := programs.Context()
	err := run(ctx, os.Args[1:], os.Stdout)
	asked := ctx.Err() != nil
	stop()
	if err != nil && !asked {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("nocode", flag.ContinueOnError)
	rows := flags.Int("rows", 20_000, "how many rows the table has at first")
	rate := flags.Int("rate", 500, "changes a second")
	lasts := flags.Duration("for", 10*time.Second, "how long the table changes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "replhub-nocode-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &stage{out: out, dir: dir, fail: cancel}
	defer func() { err = errors.Join(err, s.stop()) }()
	s.say("nocode", "builds replhub, which takes a while the first time")
	if err := programs.Build(ctx, s.dir, "cmd/replhub"); err != nil {
		return err
	}
	if err := s.startPostgres(ctx); err != nil {
		return err
	}
	owner, err := s.createOwner(ctx, *rows)
	if err != nil {
		return err
	}
	replica, err := s.createDatabase(ctx, "sharing")
	if err != nil {
		return err
	}
	return s.play(ctx, owner, replica, *rate, *lasts)
}

// play runs the four commands, and changes the owner's table meanwhile.
func (s *stage) play(ctx context.Context, owner, replica string, rate int, lasts time.Duration) error {
	s.start("dev", nil, "dev", "--port", "0", "--http", "127.0.0.1:0")
	url, err := s.await(ctx, "dev", `nats://[0-9.:]+`)
	if err != nil {
		return err
	}
	s.url = url
	s.start("capture", []string{"DATABASE_URL=" + owner}, "capture", "postgres", "--service", "user-profile",
		"--table", "public.users=user", "--exclude", "public.users.password_hash", "--http-addr", "127.0.0.1:0")
	if _, err := s.await(ctx, "capture", `capturing`); err != nil {
		return err
	}
	s.start("apply", []string{"DATABASE_URL=" + replica}, "apply", "sharing", "--table", "user=people", "--start", "snapshot", "--create", "--http-addr", "127.0.0.1:0")
	if _, err := s.await(ctx, "apply", `CREATE TABLE`); err != nil {
		return err
	}
	s.say("nocode", fmt.Sprintf("changes the owner's table %d times a second for %s", rate, lasts))
	changing, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	changed := make(chan error, 1)
	go func() { changed <- change(changing, owner, rate) }()
	// While the table changes, rows that are on their way are no difference.
	if err := s.verify(ctx, replica); err != nil {
		return err
	}
	if err := <-changed; err != nil {
		return err
	}
	s.say("nocode", "changes have ended")
	return s.verify(ctx, replica)
}

// verify asks whether the replica is equal, and fails if it is not.
func (s *stage) verify(ctx context.Context, replica string) error {
	return s.runOnce(ctx, "verify", []string{"DATABASE_URL=" + replica}, "verify", "sharing", "--table", "user=people")
}

func (s *stage) binary() string { return filepath.Join(s.dir, "replhub") }

func typed(args []string) string { return "$ replhub " + strings.Join(args, " ") }
