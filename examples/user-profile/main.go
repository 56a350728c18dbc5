// User-profile owns the users, in PostgreSQL where DATABASE_URL says so, else in a
// SQLite file. Each change and its event are one transaction; a relay publishes
// what was committed. A service that comes later gets the rows that are there.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("user-profile", flag.ContinueOnError)
	dir := flags.String("dir", ".", "folder of user-profile.db, which instances share")
	first := flags.Int("first", 0, "which change of the story to begin with")
	changes := flags.Int("changes", 0, "how many changes to make; 0 for one after another until Ctrl-C")
	pause := flags.Duration("pause", 700*time.Millisecond, "between two changes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, dialect, err := openDatabase(*dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := open(ctx, db, dialect, out)
	if err != nil {
		return err
	}
	client, err := replhub.Connect(ctx, replhub.Config{URL: os.Getenv("NATS_URL"), Service: "user-profile", WaitForHub: true})
	if err != nil {
		return err
	}
	defer client.Close()
	relay, err := s.box.NewRelay(outbox.RelayConfig{DB: db, Publisher: client})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return relay.Run(ctx) })
	group.Go(func() error { return client.ServeSnapshot(ctx, "user", s.rows) })
	group.Go(func() error { return s.live(ctx, *first, *changes, *pause, relay.Wake) })
	return group.Wait()
}

// service is the owner of the users.
type service struct {
	db  *sql.DB
	box *outbox.Outbox
	out io.Writer
}

func open(ctx context.Context, db *sql.DB, dialect database.Dialect, out io.Writer) (*service, error) {
	box, err := outbox.New(outbox.Config{Dialect: dialect})
	if err != nil {
		return nil, err
	}
	if err := box.Migrate(ctx, db); err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS users (
		id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL, password_hash TEXT NOT NULL)`)
	if err != nil {
		return nil, fmt.Errorf("create users: %w", err)
	}
	return &service{db: db, box: box, out: out}, nil
}

// live makes changes, and then waits for the end.
func (s *service) live(ctx context.Context, first, changes int, pause time.Duration, committed func()) error {
	tick := time.NewTicker(max(pause, time.Millisecond))
	defer tick.Stop()
	for n := 0; changes == 0 || n < changes; n++ {
		if err := s.change(ctx, story(first+n)); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		committed()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	fmt.Fprintf(s.out, "%d changes are made\n", changes)
	<-ctx.Done()
	return nil
}

const upsert = `INSERT INTO users (id, tenant, name, email, password_hash) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, name = excluded.name, email = excluded.email, password_hash = excluded.password_hash`

// change changes a user, and enqueues the event in the same transaction.
func (s *service) change(ctx context.Context, c change) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // there is nothing to undo after a commit
	event := replhub.Event{Entity: "user", Op: c.op, Key: c.user.ID}
	if c.op == replhub.Delete {
		_, err = tx.ExecContext(ctx, "DELETE FROM users WHERE id = $1", c.user.ID)
	} else {
		event.Data, err = c.user.json()
		if err == nil {
			_, err = tx.ExecContext(ctx, upsert, c.user.ID, c.user.Tenant, c.user.Name, c.user.Profile.Email, c.user.PasswordHash)
		}
	}
	if err != nil {
		return fmt.Errorf("%s user %s: %w", c.op, c.user.ID, err)
	}
	if err := s.box.Enqueue(ctx, tx, event); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	fmt.Fprintf(s.out, "%s user %s %s\n", c.op, c.user.ID, event.Data)
	return nil
}
