package capture_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/pause"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqltest.Main(m)) }

// site is a hub, and an owner's database whose session has another time zone.
type site struct {
	t     *testing.T
	hub   *replhubtest.Hub
	dsn   string
	owner *sql.DB
}

func newSite(t *testing.T, statements ...string) *site {
	t.Helper()
	s := &site{t: t, hub: replhubtest.Start(t), dsn: sqltest.Postgres(t)}
	s.owner = s.open(s.dsn + " options='-c timezone=Asia/Tokyo'")
	for _, statement := range statements {
		s.exec(statement)
	}
	return s
}

func (s *site) open(dsn string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	return db
}

func (s *site) exec(statement string) {
	s.t.Helper()
	if _, err := s.owner.ExecContext(context.WithoutCancel(s.t.Context()), statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// capture runs a capture until the test ends, and drops its slot then.
func (s *site) capture(cfg capture.Config) {
	s.t.Helper()
	nc, err := nats.Connect(s.hub.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	cfg.Conn, cfg.DSN, cfg.Service, cfg.Logger = nc, s.dsn, "owner", slog.New(slog.DiscardHandler)
	cfg.Slot = "s" + fmt.Sprint(rand.Uint64())
	c, err := capture.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Errorf("the capture ended: %v", err)
		}
		nc.Close()
		s.drop(cfg.Slot)
	})
	replhubtest.Await(s.t, "the capture to begin", func() error {
		select {
		case err := <-ended:
			ended <- err
			return nil // told at the end
		default:
		}
		if state := c.Status().State; state != "capturing" {
			return errors.New(state)
		}
		return nil
	})
}

// drop drops a slot, once the server has noticed that nobody uses it any more. The context
// of the test has ended by then.
func (s *site) drop(slot string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 30*time.Second)
	defer cancel()
	for {
		_, err := s.owner.ExecContext(ctx, "SELECT pg_drop_replication_slot($1)", slot)
		if err == nil {
			return
		}
		if pause.For(ctx, 10*time.Millisecond) != nil {
			s.t.Errorf("drop the slot: %v", err)
			return
		}
	}
}

// replica applies an entity to a table of another database.
func (s *site) replica(entity, create string, columns ...string) *sql.DB {
	s.t.Helper()
	db := s.open(sqltest.Postgres(s.t))
	in, err := inbox.New(inbox.Config{Dialect: database.Postgres, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := in.Migrate(s.t.Context(), db); err != nil {
		s.t.Fatal(err)
	}
	if _, err := db.ExecContext(s.t.Context(), create); err != nil {
		s.t.Fatal(err)
	}
	cfg := inbox.TableConfig{Table: "copy"}
	for _, name := range columns {
		cfg.Columns = append(cfg.Columns, inbox.Column{Name: name})
	}
	table, err := in.NewTable(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.hub.Subscribe(s.t, "sharing", replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: entity, Start: replhub.StartSnapshot()}}},
	}, replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
		_, err := in.Replicate(ctx, db, d, table)
		return err
	}))
	return db
}

// A replica that begins with the rows, and gets changes of each kind meanwhile, has what
// the owner has: large values that updates leave alone, keys that change, deletes, points
// in time, digits, and columns that come and go. What is excluded never leaves.
func TestReplicaIsTheOwners(t *testing.T) {
	s := newSite(t,
		"CREATE TABLE users (id int PRIMARY KEY, name text, note text, at timestamptz, amount numeric(20,10), secret text)",
		"ALTER TABLE users ALTER COLUMN note SET STORAGE EXTERNAL",
		"INSERT INTO users SELECT n, 'first', repeat('x', 5000) || n, now(), n / 7.0, 'secret' FROM generate_series(1, 200) n",
	)
	s.capture(capture.Config{Tables: []string{"public.users=user"}, Exclude: []string{"public.users.secret"}})
	replica := s.replica("user", "CREATE TABLE copy (id int PRIMARY KEY, name text, note text, at timestamptz, amount numeric(20,10), secret text)", "name", "note", "at", "amount", "secret")
	for n := range 200 {
		id := 1 + rand.IntN(200)
		switch n % 10 {
		case 3:
			s.exec(fmt.Sprintf("UPDATE users SET id = %d WHERE id = %d", 1000+n, id))
		case 5:
			s.exec(fmt.Sprintf("DELETE FROM users WHERE id = %d", id))
		case 7:
			s.exec(fmt.Sprintf("BEGIN; UPDATE users SET name = 'rolled back' WHERE id = %d; ROLLBACK", id))
		case 8:
			s.exec(fmt.Sprintf("BEGIN; DELETE FROM users WHERE id = %d; INSERT INTO users VALUES (%d, 'again', NULL, '2024-10-27 02:30:00+02', 0.0000000001); COMMIT", id, id))
		default:
			s.exec(fmt.Sprintf("UPDATE users SET name = 'n%d', amount = amount + 0.1, at = at + interval '1 hour' WHERE id = %d", n, id))
		}
		switch n {
		case 60:
			s.exec("ALTER TABLE users ADD COLUMN extra text")
			s.exec("UPDATE users SET extra = 'x' WHERE id < 20")
		case 120:
			s.exec("ALTER TABLE users DROP COLUMN extra")
		}
	}
	const query = "SELECT id, name, md5(note) AS note, at, amount::text AS amount, NULL::text AS secret FROM users"
	replhubtest.Converged(t, replhubtest.SQL(s.owner, query), replhubtest.SQL(replica, strings.ReplaceAll(strings.ReplaceAll(query, "users", "copy"), "NULL::text", "secret")),
		replhubtest.Within(30*time.Second))
	if n := s.hub.DeadLetters(t, "sharing"); n > 0 {
		t.Errorf("%d dead letters", n)
	}
}

// A table that a pattern matches later is captured from then on, and its rows are served.
func TestTableAddedLater(t *testing.T) {
	s := newSite(t, "CREATE TABLE users (id int PRIMARY KEY)")
	s.capture(capture.Config{Tables: []string{"public.*"}, WatchEvery: 50 * time.Millisecond})
	s.exec("CREATE TABLE keyless (id int)") // keeps nothing up
	s.exec("CREATE TABLE tenants (id text, part int, name text, PRIMARY KEY (id, part))")
	s.exec("INSERT INTO tenants VALUES ('a', 1, 'before')")
	replica := s.replica("tenants", "CREATE TABLE copy (id text PRIMARY KEY, name text)", "name")
	const query = `SELECT '["' || id || '",' || part || ']' AS id, name FROM tenants`
	s.exec("INSERT INTO tenants SELECT 'b', n, 'after' FROM generate_series(1, 10) n")
	replhubtest.Converged(t, replhubtest.SQL(s.owner, query), replhubtest.SQL(replica, "SELECT id, name FROM copy"), replhubtest.Within(30*time.Second))
	s.exec("UPDATE tenants SET name = 'changed', part = part + 100 WHERE part > 5")
	s.exec("DELETE FROM tenants WHERE part = 2")
	replhubtest.Converged(t, replhubtest.SQL(s.owner, query), replhubtest.SQL(replica, "SELECT id, name FROM copy"), replhubtest.Within(30*time.Second))
}

// What stands in the way is said, and nothing is made.
func TestRunRefuses(t *testing.T) {
	s := newSite(t, "CREATE TABLE users (id int, name text)")
	nc, err := nats.Connect(s.hub.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c, err := capture.New(capture.Config{Conn: nc, DSN: s.dsn, Service: "owner", Tables: []string{"public.users=user", "public.none=x"}})
	if err != nil {
		t.Fatal(err)
	}
	preflight, ok := errors.AsType[*capture.PreflightError](c.Run(t.Context()))
	if !ok || len(preflight.Findings) != 2 || !strings.Contains(preflight.Error(), "ADD PRIMARY KEY") {
		t.Errorf("got %v", preflight)
	}
	var made int
	if err := s.owner.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_publication").Scan(&made); err != nil || made > 0 {
		t.Errorf("%d publications, %v", made, err)
	}
}

// No error has a secret of the DSN.
func TestSecretsOfTheDSN(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u:hunter2@localhost:port/db", "host=localhost password=hunter2 port=x", "postgres://u:hunter2@[/", "postgres://u:hunter2@127.0.0.1:1/db?sslmode=disable",
		"host=127.0.0.1 port=1 password=hunter2 sslmode=disable",
	} {
		c, err := capture.New(capture.Config{DSN: dsn, Service: "owner", Tables: []string{"public.users"}})
		if err == nil {
			_, _, err = c.Check(t.Context())
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
