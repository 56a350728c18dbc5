package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/internal/testenv/hubstreams"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqltest.Main(m)) }

type dialect struct {
	database.Dialect

	driver string
	dsn    func(testing.TB) string
	suffix string
}

var (
	postgres = dialect{database.Postgres, "pgx", sqltest.Postgres, ""}
	mariadb  = dialect{database.MariaDB, "mysql", sqltest.MariaDB, ""}
	// As MariaDB is by default since 11.6.2.
	mariadbSnapshot = dialect{database.MariaDB, "mysql", sqltest.MariaDBSnapshot, "-snapshot"}
	sqlite          = dialect{database.SQLite, "sqlite", sqltest.SQLite, ""}
)

// each runs a test against every database that is given, all by default. Where
// MariaDB is among them, it is taken with and without snapshot isolation.
func each(t *testing.T, test func(*testing.T, *place), on ...dialect) {
	t.Helper()
	if len(on) == 0 {
		on = []dialect{postgres, mariadb, sqlite}
	}
	if slices.ContainsFunc(on, func(d dialect) bool { return d.Dialect == database.MariaDB }) {
		on = append(on, mariadbSnapshot)
	}
	for _, d := range on {
		t.Run(d.String()+d.suffix, func(t *testing.T) { test(t, newPlace(t, d, outbox.Config{})) })
	}
}

// place is a database with an outbox, and a NATS with ingest's stream.
type place struct {
	testing.TB
	dialect

	dataSource string
	db         *sql.DB
	box        *outbox.Outbox
	bus        *bus
}

func newPlace(tb testing.TB, d dialect, cfg outbox.Config) *place {
	tb.Helper()
	p := &place{TB: tb, dialect: d, dataSource: d.dsn(tb), bus: startBus(tb, 0)}
	p.db = p.open()
	p.box = p.outbox(cfg)
	if err := p.box.Migrate(tb.Context(), p.db); err != nil {
		tb.Fatal(err)
	}
	return p
}

func (p *place) open() *sql.DB {
	p.Helper()
	db, err := sql.Open(p.driver, p.dataSource)
	if err != nil {
		p.Fatal(err)
	}
	db.SetMaxIdleConns(16)
	p.Cleanup(func() { db.Close() })
	return db
}

func (p *place) outbox(cfg outbox.Config) *outbox.Outbox {
	p.Helper()
	cfg.Dialect = p.Dialect
	box, err := outbox.New(cfg)
	if err != nil {
		p.Fatal(err)
	}
	return box
}

// enqueue enqueues events in a transaction that is committed.
func (p *place) enqueue(events ...replhub.Event) {
	p.Helper()
	if err := p.tryEnqueue(events...); err != nil {
		p.Fatal(err)
	}
}

func (p *place) tryEnqueue(events ...replhub.Event) error {
	tx, err := p.db.BeginTx(p.Context(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, ev := range events {
		if err := p.box.Enqueue(p.Context(), tx, ev); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (p *place) begin() *sql.Tx {
	p.Helper()
	tx, err := p.db.BeginTx(p.Context(), nil)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// run runs a relay until the test ends or stop is called.
func (p *place) run(publisher outbox.Publisher, change ...func(*outbox.RelayConfig)) (r *outbox.Relay, stop func()) {
	p.Helper()
	cfg := outbox.RelayConfig{
		DB: p.db, Publisher: publisher, Logger: quiet(p),
		Poll: 5 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond, Lease: time.Second,
	}
	for _, c := range change {
		c(&cfg)
	}
	r, err := p.box.NewRelay(cfg)
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			p.Errorf("relay: %v", err)
		}
	}
	p.Cleanup(stop)
	return r, stop
}

// rows counts the rows of a table of the outbox's.
func (p *place) rows(suffix string) int {
	p.Helper()
	var n int
	if err := p.db.QueryRowContext(p.Context(), "SELECT COUNT(*) FROM replhub_outbox"+suffix).Scan(&n); err != nil {
		p.Fatal(err)
	}
	return n
}

// emptied waits until no row is left.
func (p *place) emptied() {
	p.Helper()
	eventually(p, "an empty outbox", func() error {
		if n := p.rows(""); n > 0 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
}

// bus is a nats-server with ingest's stream, and a client.
type bus struct {
	testing.TB

	server *natstest.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	client *replhub.Client
}

func startBus(tb testing.TB, maxPayload int) *bus {
	tb.Helper()
	server := natstest.Start(tb, func(cfg *embedded.Config) { cfg.MaxPayload = maxPayload })
	b := &bus{TB: tb, server: server, nc: server.Connect()}
	var err error
	if b.js, err = jetstream.New(b.nc); err != nil {
		tb.Fatal(err)
	}
	if err := hubstreams.Create(tb.Context(), b.nc); err != nil {
		tb.Fatal(err)
	}
	b.client, err = replhub.Connect(tb.Context(), replhub.Config{
		Conn: b.nc, Service: "owner", Timeout: 200 * time.Millisecond, PublishTimeout: 300 * time.Millisecond, Logger: quiet(tb),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.client.Close)
	return b
}

// stored waits for n events in ingest and returns them in order.
func (b *bus) stored(n int) []jetstream.Msg {
	b.Helper()
	stream, err := b.js.Stream(b.Context(), "DB")
	if err != nil {
		b.Fatal(err)
	}
	eventually(b, fmt.Sprintf("%d events in ingest", n), func() error {
		info, err := stream.Info(b.Context())
		if err != nil {
			return err
		}
		if got := int(info.State.Msgs); got != n {
			return fmt.Errorf("%d so far", got)
		}
		return nil
	})
	if n == 0 {
		return nil
	}
	consumer, err := stream.OrderedConsumer(b.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	batch, err := consumer.Fetch(n, jetstream.FetchMaxWait(10*time.Second))
	if err != nil {
		b.Fatal(err)
	}
	var got []jetstream.Msg
	for m := range batch.Messages() {
		got = append(got, m)
	}
	if len(got) != n {
		b.Fatalf("read %d of %d events: %v", len(got), n, batch.Error())
	}
	return got
}

// eventually waits for a condition.
func eventually(tb testing.TB, what string, check func() error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("waited in vain for %s: %v", what, err)
		}
	}
}

// quiet logs into the test, where only a failure shows it.
func quiet(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// publisherFunc is a function as a Publisher, around a real client.
type publisherFunc func(context.Context, []replhub.Event) ([]replhub.Ack, error)

func (f publisherFunc) PublishBatch(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
	return f(ctx, events)
}

func user(key string, data ...string) replhub.Event {
	ev := replhub.Event{Entity: "user", Op: replhub.Update, Key: key}
	if len(data) > 0 {
		ev.Data = []byte(data[0])
	}
	return ev
}
