// Sharing keeps the names of all users, and shares a welcome document with each.
// That share is an entity of its own, published in turn: the replica's row, the
// share and its event are one transaction, made once for each change.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
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
	flags := flag.NewFlagSet("sharing", flag.ContinueOnError)
	dir := flags.String("dir", ".", "folder of sharing.db, which instances share")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(*dir, "sharing.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := open(ctx, db, out)
	if err != nil {
		return err
	}
	client, err := replhub.Connect(ctx, replhub.Config{URL: os.Getenv("NATS_URL"), Service: "sharing", WaitForHub: true})
	if err != nil {
		return err
	}
	defer client.Close()
	if s.relay, err = s.box.NewRelay(outbox.RelayConfig{DB: db, Publisher: client}); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	relayed := make(chan error, 1)
	go func() { relayed <- s.relay.Run(ctx) }()
	err = client.RunSubscriber(ctx, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{
			{Entity: "user", Fields: []string{"id", "name"}, Start: replhub.StartAll()},
		}},
	}, replhub.HandlerFunc(s.handle))
	stop()
	return errors.Join(err, <-relayed)
}

// service keeps people, and the shares that it computes for them.
type service struct {
	db     *sql.DB
	in     *inbox.Inbox
	people *inbox.Table
	box    *outbox.Outbox
	relay  *outbox.Relay
	out    io.Writer
}

func open(ctx context.Context, db *sql.DB, out io.Writer) (s *service, err error) {
	s = &service{db: db, out: out}
	if s.in, err = inbox.New(inbox.Config{Dialect: database.SQLite}); err != nil {
		return nil, err
	}
	if s.box, err = outbox.New(outbox.Config{Dialect: database.SQLite}); err != nil {
		return nil, err
	}
	s.people, err = s.in.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}}})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.in.Migrate(ctx, db), s.box.Migrate(ctx, db)); err != nil {
		return nil, err
	}
	for _, table := range []string{
		"CREATE TABLE IF NOT EXISTS people (id TEXT PRIMARY KEY, name TEXT)",
		"CREATE TABLE IF NOT EXISTS shares (id TEXT PRIMARY KEY, document TEXT NOT NULL)",
	} {
		if _, err := db.ExecContext(ctx, table); err != nil {
			return nil, fmt.Errorf("create tables: %w", err)
		}
	}
	return s, nil
}

// handle makes a change's effect, once.
func (s *service) handle(ctx context.Context, d *replhub.Delivery) error {
	outcome, err := s.in.Do(ctx, s.db, d, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.people.Apply(ctx, tx, d); err != nil {
			return err
		}
		return s.share(ctx, tx, d)
	})
	if err != nil {
		return err
	}
	s.relay.Wake()
	fmt.Fprintf(s.out, "got %s user %s %s: %s\n", d.Op, d.Key, d.Data, outcome)
	return nil
}

// share gives a new user a document, and takes it from one who has left.
func (s *service) share(ctx context.Context, tx *sql.Tx, d *replhub.Delivery) error {
	event := replhub.Event{Entity: "share", Op: replhub.Create, Key: d.Key}
	change := "INSERT OR IGNORE INTO shares (id, document) VALUES (?, 'welcome')"
	if d.Op == replhub.Delete {
		event.Op, change = replhub.Delete, "DELETE FROM shares WHERE id = ?"
	}
	result, err := tx.ExecContext(ctx, change, d.Key)
	if err != nil {
		return fmt.Errorf("share with %s: %w", d.Key, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err // as it was
	}
	if event.Op == replhub.Create {
		event.Data, err = json.Marshal(map[string]string{"id": d.Key, "document": "welcome"})
		if err != nil {
			return err
		}
	}
	return s.box.Enqueue(ctx, tx, event)
}
