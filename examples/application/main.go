// Application keeps the email addresses of one tenant's users, and what sharing
// has shared with anybody. However late it comes, it begins with the users that
// there are.
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
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
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
	flags := flag.NewFlagSet("application", flag.ContinueOnError)
	dir := flags.String("dir", ".", "folder of application.db, which instances share")
	tenant := flags.String("tenant", "acme", "whose users are kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(*dir, "application.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := open(ctx, db, out)
	if err != nil {
		return err
	}
	client, err := replhub.Connect(ctx, replhub.Config{URL: os.Getenv("NATS_URL"), Service: "application", WaitForHub: true})
	if err != nil {
		return err
	}
	defer client.Close()
	return client.RunSubscriber(ctx, replhub.SubscriberConfig{
		Registration: replhub.Registration{
			Interests: []replhub.Interest{
				{
					Entity: "user", Fields: []string{"id", "tenant", "profile.email"}, Start: replhub.StartSnapshot(),
					Filter: fmt.Sprintf("has(data.tenant) && data.tenant == %q", *tenant),
				},
				{Entity: "share", Start: replhub.StartAll()},
			},
			// Its instances share four partitions, each key in order.
			Queue: replhub.Queue{Order: replhub.OrderKey, Partitions: 4},
		},
	}, replhub.HandlerFunc(s.handle))
}

// service keeps a table for each entity that it wants.
type service struct {
	db     *sql.DB
	in     *inbox.Inbox
	tables map[string]*inbox.Table
	out    io.Writer
}

// account is what this service keeps of a user.
type account struct {
	Tenant  string `json:"tenant" db:"tenant"`
	Profile struct {
		Email string `json:"email" db:"email"`
	} `json:"profile"`
}

// grant is what it keeps of a share.
type grant struct {
	Document string `json:"document" db:"document"`
}

func open(ctx context.Context, db *sql.DB, out io.Writer) (*service, error) {
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite})
	if err != nil {
		return nil, err
	}
	accounts, err := inbox.TableFor[account](in, inbox.TableConfig{Table: "accounts"})
	if err != nil {
		return nil, err
	}
	grants, err := inbox.TableFor[grant](in, inbox.TableConfig{Table: "grants"})
	if err != nil {
		return nil, err
	}
	if err := in.Migrate(ctx, db); err != nil {
		return nil, err
	}
	for _, table := range []string{
		"CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, tenant TEXT, email TEXT)",
		"CREATE TABLE IF NOT EXISTS grants (id TEXT PRIMARY KEY, document TEXT)",
	} {
		if _, err := db.ExecContext(ctx, table); err != nil {
			return nil, fmt.Errorf("create tables: %w", err)
		}
	}
	return &service{db: db, in: in, out: out, tables: map[string]*inbox.Table{"user": accounts, "share": grants}}, nil
}

func (s *service) handle(ctx context.Context, d *replhub.Delivery) error {
	table := s.tables[d.Entity]
	if table == nil {
		return replhub.Park(fmt.Errorf("no table for %q", d.Entity))
	}
	outcome, err := s.in.Replicate(ctx, s.db, d, table)
	if err != nil {
		return err
	}
	what := string(d.Op)
	if d.Header["Replhub-Row"] != nil {
		what = "row" // of the owner's table, not a change
	}
	fmt.Fprintf(s.out, "got %s %s %s %s: %s\n", what, d.Entity, d.Key, d.Data, outcome)
	return nil
}
