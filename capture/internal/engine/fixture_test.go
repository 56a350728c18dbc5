package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/capture/internal/outboxtable"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/subjects"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		os.Exit(victim())
	}
	goleak.VerifyTestMain(sqltest.Main(m))
}

// plainTables captures every table under its own name, with all values as strings.
type plainTables struct{}

func (plainTables) Table(_ context.Context, rel *change.Relation) (change.Table, error) {
	if strings.HasPrefix(rel.Name, "other") {
		return nil, nil
	}
	t := &plainTable{rel: *rel}
	for i, c := range rel.Columns {
		if c.Identity && (rel.Identity != 'f' || c.Name == "id") {
			t.keys = append(t.keys, i)
		}
	}
	return t, nil
}

func (plainTables) Filled(_ context.Context, _ *change.Relation, column string) (bool, error) {
	return column != "empty", nil
}

// Outbox has the table box as an outbox whose rows are deleted.
func (plainTables) Outbox(_ context.Context, rel *change.Relation) (change.Outbox, error) {
	if rel.Name != "box" {
		return nil, nil
	}
	layout, err := outboxtable.Parse("entity=:boxed,payload=line")
	if err != nil {
		return nil, err
	}
	return outboxtable.NewReader(layout, rel, 0, []int{0})
}

type plainTable struct {
	rel  change.Relation
	keys []int
}

func (t *plainTable) Entity() string    { return t.rel.Name }
func (t *plainTable) KeyColumns() []int { return t.keys }
func (t *plainTable) Wanted(int) bool   { return true }

func (t *plainTable) Key(row change.Tuple) (string, error) {
	key := ""
	for _, i := range t.keys {
		key += "," + string(row[i].Text)
	}
	return key[1:], nil
}

func (t *plainTable) Row(dst []byte, row change.Tuple) ([]byte, error) {
	object := make(map[string]*string)
	for i, v := range row {
		switch v.Kind {
		case change.Text:
			text := string(v.Text)
			object[t.rel.Columns[i].Name] = &text
		case change.Null:
			object[t.rel.Columns[i].Name] = nil
		default: // a column that is gone
		}
	}
	data, err := json.Marshal(object)
	return append(dst, data...), err
}

func (t *plainTable) KeyRow(dst []byte, row change.Tuple) ([]byte, error) {
	object := make(map[string]string)
	for _, i := range t.keys {
		object[t.rel.Columns[i].Name] = string(row[i].Text)
	}
	data, err := json.Marshal(object)
	return append(dst, data...), err
}

// bench is a database with a slot, and ingest.
type bench struct {
	t    *testing.T
	dsn  string
	db   *pgx.Conn
	nats *natstest.Server
	js   jetstream.JetStream
	slot string
}

func newBench(t *testing.T, dsn string, tables ...string) *bench {
	t.Helper()
	server := natstest.Start(t)
	b := newBenchOn(t, dsn, server.URL(), 1, tables...)
	b.nats = server
	return b
}

// newBenchOn is newBench with NATS servers that are there.
func newBenchOn(t *testing.T, dsn, url string, replicas int, tables ...string) *bench {
	t.Helper()
	b := &bench{t: t, dsn: dsn, slot: slotName(t)}
	b.js = jetStream(t, url)
	makeIngest(t, b.js, replicas)
	b.db = b.connect()
	for _, table := range tables {
		b.exec(table)
	}
	b.exec("CREATE PUBLICATION captured FOR ALL TABLES WITH (publish_via_partition_root = true)")
	b.makeSlot()
	return b
}

// jetStreamer is a JetStream.
type jetStreamer = jetstream.JetStream

func jetStream(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// slotName is a name that no other test has: slots are the server's.
func slotName(t *testing.T) string {
	return strings.ToLower(strings.NewReplacer("/", "_", "-", "_", " ", "_").Replace(t.Name()))
}

func (b *bench) makeSlot() {
	b.t.Helper()
	b.exec("SELECT pg_create_logical_replication_slot('" + b.slot + "', 'pgoutput')")
	b.t.Cleanup(b.dropSlot)
}

func (b *bench) dropSlot() {
	db, err := pgx.Connect(context.Background(), b.dsn)
	if err != nil {
		return // the server is gone, and the slot with it
	}
	defer db.Close(context.Background())
	_, err = db.Exec(context.Background(), "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active", b.slot)
	if err != nil {
		b.t.Error(err)
	}
	b.eventually("slot dropped", func() error {
		_, err := db.Exec(context.Background(), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", b.slot)
		return err
	})
}

// makeIngest makes the stream as the hub does.
func makeIngest(t testing.TB, js jetstream.JetStream, replicas int) {
	t.Helper()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: contract.StreamIngest, Subjects: subjects.IngestSubjects(), Discard: jetstream.DiscardNew,
		AllowBatchPublish: true, AllowAtomicPublish: true, Replicas: replicas,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) connect() *pgx.Conn {
	b.t.Helper()
	db, err := pgx.Connect(b.t.Context(), b.dsn)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

func (b *bench) exec(statement string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), statement, args...); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

// cleanUp executes statements when the test has ended.
func (b *bench) cleanUp(statements ...string) {
	db, err := pgx.Connect(context.Background(), b.dsn)
	if err != nil {
		b.t.Error(err)
		return
	}
	defer db.Close(context.Background())
	for _, statement := range statements {
		if _, err := db.Exec(context.Background(), statement); err != nil {
			b.t.Errorf("%s: %v", statement, err)
		}
	}
}

func (b *bench) config() engine.Config {
	config, err := pgx.ParseConfig(b.dsn)
	if err != nil {
		b.t.Fatal(err)
	}
	return engine.Config{
		Database: config, JS: b.js, Slot: b.slot, Publication: "captured", Tables: plainTables{}, Service: "owner",
		RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond, StandbyEvery: 20 * time.Millisecond,
		RecordEvery: 50 * time.Millisecond, Patience: time.Second,
		Logger: slog.New(slog.NewTextHandler(b.t.Output(), nil)),
	}
}

// run starts an engine; stop ends it and returns the result of Run.
func (b *bench) run(change ...func(*engine.Config)) (e *engine.Engine, stop func() error) {
	b.t.Helper()
	cfg := b.config()
	for _, c := range change {
		c(&cfg)
	}
	e = engine.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- e.Run(ctx) }()
	stopped := false
	var err error
	stop = func() error {
		cancel()
		if !stopped {
			stopped = true
			err = <-result
		}
		return err
	}
	b.t.Cleanup(func() { _ = stop() })
	return e, stop
}

func (b *bench) eventually(what string, holds func() error) {
	b.t.Helper()
	b.within(30*time.Second, what, holds)
}

func (b *bench) within(patience time.Duration, what string, holds func() error) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-b.t.Context().Done():
		}
	}
}

// stored is one event of ingest, in words.
type stored struct {
	seq                       uint64
	subject, key, version, id string
	data                      string
}

func (s stored) String() string {
	return strings.TrimPrefix(s.subject, "db.") + " " + s.key + " " + s.data
}

// events are the events of ingest, without the records of captures.
func (b *bench) events() []stored {
	b.t.Helper()
	stream, err := b.js.Stream(b.t.Context(), contract.StreamIngest)
	if err != nil {
		b.t.Fatal(err)
	}
	last := stream.CachedInfo().State.LastSeq
	if stream.CachedInfo().State.Msgs == 0 {
		return nil
	}
	reader, err := stream.OrderedConsumer(b.t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.t.Fatal(err)
	}
	messages, err := reader.Messages()
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		messages.Stop()
		if err := stream.DeleteConsumer(b.t.Context(), reader.CachedInfo().Name); err != nil {
			b.t.Error(err)
		}
	}()
	var all []stored
	for {
		m, err := messages.Next()
		if err != nil {
			b.t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			b.t.Fatal(err)
		}
		if header := m.Headers(); !strings.HasPrefix(m.Subject(), "db.capture-") {
			all = append(all, stored{
				meta.Sequence.Stream, m.Subject(), header.Get(contract.HeaderKey), header.Get(contract.HeaderVersion),
				header.Get(contract.HeaderCaptured), string(m.Data()),
			})
		}
		if meta.Sequence.Stream >= last {
			return all
		}
	}
}

// await waits for exactly these events, in words.
func (b *bench) await(want ...string) []stored {
	b.t.Helper()
	var got []stored
	b.eventually("events", func() error {
		got = b.events()
		var words []string
		for _, e := range got {
			words = append(words, e.String())
		}
		g, w := strings.Join(words, "\n"), strings.Join(want, "\n")
		if g != w && len(words) >= len(want) {
			b.t.Fatalf("got\n%.4000s\nwant\n%.4000s", g, w) // no event goes away again
		}
		if g != w {
			return fmt.Errorf("got\n%.4000s\nwant\n%.4000s", g, w)
		}
		return nil
	})
	return got
}
