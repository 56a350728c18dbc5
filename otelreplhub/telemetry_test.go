package otelreplhub_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/hubtrace"
	"github.com/replhub/replhub/kvmap"
	"github.com/replhub/replhub/otelreplhub"
	"github.com/replhub/replhub/outbox"
)

const patience = 30 * time.Second

// lab is a nats-server, a hub that traces, and where all spans and metrics go.
type lab struct {
	t         *testing.T
	url       string
	spans     *tracetest.InMemoryExporter
	provider  *sdktrace.TracerProvider
	reader    *sdkmetric.ManualReader
	telemetry *otelreplhub.Telemetry
}

func newLab(t *testing.T, changes ...func(*otelreplhub.Config)) *lab {
	t.Helper()
	l := &lab{t: t, spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	l.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(l.spans))
	cfg := otelreplhub.Config{TracerProvider: l.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(l.reader))}
	for _, change := range changes {
		change(&cfg)
	}
	var err error
	l.telemetry, err = otelreplhub.New(cfg)
	l.must(err)
	server, err := embedded.Start(t.Context(), embedded.Config{Port: embedded.FreePort, StoreDir: t.TempDir()})
	l.must(err)
	t.Cleanup(func() { _ = server.Close() })
	l.url = server.ClientURL()
	l.startHub()
	return l
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) startHub() {
	l.t.Helper()
	nc, err := nats.Connect(l.url)
	l.must(err)
	l.t.Cleanup(nc.Close)
	registry, err := registryOf(nc)
	l.must(err)
	h, err := hub.New(hub.Config{Conn: nc, Registry: registry, ID: "hub-1", Traced: hubtrace.New(l.provider, "hub-1")})
	l.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("hub: %v", err)
		}
	})
	select {
	case <-h.Ready():
	case <-time.After(patience):
		l.t.Fatal("the hub is not ready")
	}
}

func registryOf(nc *nats.Conn) (hub.Registry, error) {
	js, err := jetstreamOf(nc)
	if err != nil {
		return nil, err
	}
	return kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords()})
}

func (l *lab) client(service string) *replhub.Client {
	l.t.Helper()
	c, err := replhub.Connect(l.t.Context(), l.telemetry.Client(replhub.Config{URL: l.url, Service: service}))
	l.must(err)
	l.t.Cleanup(c.Close)
	return c
}

// database is an SQLite of the test's own.
func (l *lab) database(name string, statements ...string) *sql.DB {
	l.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(l.t.TempDir(), name)+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	l.must(err)
	l.t.Cleanup(func() { _ = db.Close() })
	for _, s := range statements {
		_, err := db.ExecContext(l.t.Context(), s)
		l.must(err)
	}
	return db
}

// run runs something until the test ends.
func (l *lab) run(what func(context.Context) error) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- what(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
}

// await waits for spans of names "<operation> <destination>", in any order, and returns
// them by their names; extra spans of the name stay out.
func (l *lab) await(of trace.TraceID, names ...string) map[string][]tracetest.SpanStub {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		found := make(map[string][]tracetest.SpanStub)
		n := 0
		for _, s := range l.spans.GetSpans() {
			if s.SpanContext.TraceID() == of {
				found[s.Name] = append(found[s.Name], s)
				n++
			}
		}
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(found[name]) > 0 })
		if len(missing) == 0 {
			return found
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("no spans %v among %d of the trace", missing, n)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func value(s tracetest.SpanStub, key string) attribute.Value {
	for _, kv := range s.Attributes {
		if string(kv.Key) == key {
			return kv.Value
		}
	}
	return attribute.Value{}
}

// expect checks a span's parent, kind and attributes.
func (l *lab) expect(s tracetest.SpanStub, parent trace.SpanID, kind trace.SpanKind, want map[string]any) {
	l.t.Helper()
	if s.Parent.SpanID() != parent || s.SpanKind != kind {
		l.t.Errorf("%s: parent %s, want %s; kind %s, want %s", s.Name, s.Parent.SpanID(), parent, s.SpanKind, kind)
	}
	for key, v := range want {
		if got := value(s, key); fmt.Sprint(got.AsInterface()) != fmt.Sprint(v) {
			l.t.Errorf("%s: %s is %v, want %v", s.Name, key, got.AsInterface(), v)
		}
	}
}

// keepsQuiet checks that no span has any of some texts.
func (l *lab) keepsQuiet(secrets ...string) {
	l.t.Helper()
	for _, s := range l.spans.GetSpans() {
		text := fmt.Sprint(s.Name, s.Attributes, s.Events, s.Status, s.Links, s.Resource)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				l.t.Errorf("%s has %q: %s", s.Name, secret, text)
			}
		}
	}
}

const owner, stream = "publish db.user.update", "SUB_sharing"

// TestTraceFromTransactionToTable follows one event through outbox, hub and inbox.
func TestTraceFromTransactionToTable(t *testing.T) {
	l := newLab(t)
	box, err := outbox.New(outbox.Config{Dialect: database.SQLite, Trace: l.telemetry.Headers})
	l.must(err)
	source := l.database("source", box.Schema()...)
	relay, err := box.NewRelay(outbox.RelayConfig{DB: source, Publisher: l.client("profile")})
	l.must(err)

	in, err := inbox.New(inbox.Config{Dialect: database.SQLite})
	l.must(err)
	table, err := in.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}}})
	l.must(err)
	replica := l.database("replica", append(in.Schema(), "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT)")...)
	registration := replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Fields: []string{"id", "name"}}}}
	sub, err := replhub.NewBatchSubscriber(l.client("sharing"),
		replhub.SubscriberConfig{Registration: registration, OnDead: l.telemetry.OnDead(nil)}, l.telemetry.BatchHandler(table.Handler(replica)))
	l.must(err)
	l.run(sub.Run)
	<-sub.Ready()
	l.run(relay.Run)

	ctx, request := l.provider.Tracer("app").Start(t.Context(), "POST /users")
	l.must(database.InTransaction(ctx, source, nil, func(tx *sql.Tx) error {
		return box.Enqueue(ctx, tx, replhub.Event{Entity: "user", Op: replhub.Update, Key: "key-42", ID: "ev-1", Data: []byte(`{"id":"key-42","name":"Ada","pw":"hidden"}`)})
	}))
	request.End()
	of, parent := request.SpanContext().TraceID(), request.SpanContext().SpanID()
	spans := l.await(of, owner, "copy "+stream, "deliver "+stream, "handle "+stream)
	l.expect(spans[owner][0], parent, trace.SpanKindClient, map[string]any{
		"messaging.system": "nats", "messaging.operation.name": "publish", "messaging.operation.type": "send",
		"messaging.destination.name": "db.user.update", "messaging.message.id": "ev-1", "replhub.entity": "user", "replhub.op": "update",
	})
	l.expect(spans["copy "+stream][0], parent, trace.SpanKindInternal, map[string]any{
		"messaging.operation.name": "copy", "messaging.destination.name": stream, "messaging.consumer.group.name": "sharing",
		"replhub.position": "1-1", "replhub.entity": "user", "replhub.op": "update", "replhub.hub": "hub-1",
	})
	l.expect(spans["deliver "+stream][0], parent, trace.SpanKindClient, map[string]any{"messaging.operation.type": "receive", "replhub.attempt": 1})
	l.expect(spans["handle "+stream][0], parent, trace.SpanKindConsumer, map[string]any{
		"messaging.operation.name": "handle", "messaging.operation.type": "process", "messaging.destination.name": stream,
		"messaging.consumer.group.name": "sharing", "messaging.message.id": "ev-1", "replhub.origin": "profile", "replhub.position": "1-1", "replhub.attempt": 1,
	})
	for name, all := range spans {
		if len(all) != 1 {
			t.Errorf("%d spans %s", len(all), name)
		}
	}
	l.keepsQuiet("key-42", "Ada", "hidden")
}

// TestTraceOfAPublish has the publish begin the trace, or join the caller's; a
// traceparent that is not valid is replaced.
func TestTraceOfAPublish(t *testing.T) {
	l := newLab(t, func(c *otelreplhub.Config) { c.Keys = true })
	seen := make(chan trace.SpanContext, 10)
	l.subscribe("sharing", func(ctx context.Context, _ *replhub.Delivery) error {
		seen <- trace.SpanContextFromContext(ctx)
		return nil
	})
	c := l.client("profile")
	for name, header := range map[string]map[string][]string{
		"none": nil, "malformed": {"traceparent": {"00-zz"}}, "zero": {"Traceparent": {"00-00000000000000000000000000000000-0000000000000000-01"}},
		"twice": {"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
	} {
		l.spans.Reset()
		ctx, caller := l.provider.Tracer("app").Start(t.Context(), "caller")
		_, err := c.Publish(ctx, replhub.Event{Entity: "user", Op: replhub.Update, Key: name, Header: header})
		l.must(err)
		handled := <-seen
		spans := l.await(caller.SpanContext().TraceID(), owner, "copy "+stream, "deliver "+stream, "handle "+stream)
		publish := spans[owner][0]
		l.expect(publish, caller.SpanContext().SpanID(), trace.SpanKindProducer, map[string]any{"replhub.key": name})
		for _, s := range []string{"copy ", "deliver ", "handle "} {
			if got := spans[s+stream][0]; got.Parent.SpanID() != publish.SpanContext.SpanID() {
				t.Errorf("%s: the parent of %s is %s", name, got.Name, got.Parent.SpanID())
			}
		}
		if handled.SpanID() != spans["handle "+stream][0].SpanContext.SpanID() {
			t.Errorf("%s: the handler's context has the span %s", name, handled.SpanID())
		}
	}
	l.metrics(map[string]map[string]any{
		"messaging.client.sent.messages":      {"messaging.operation.name": "publish", "messaging.system": "nats", "messaging.destination.name": "db.user.update"},
		"messaging.client.operation.duration": {"messaging.operation.name": "publish", "messaging.operation.type": "send", "messaging.system": "nats"},
		"messaging.client.consumed.messages":  {"messaging.operation.name": "deliver", "messaging.system": "nats", "messaging.consumer.group.name": "sharing"},
		"messaging.process.duration":          {"messaging.operation.name": "handle", "messaging.system": "nats", "messaging.destination.name": stream},
	}, 4)
}

// TestEventsWithoutATrace are published by a client without telemetry: the hub begins no
// trace, and the handler one of its own.
func TestEventsWithoutATrace(t *testing.T) {
	l := newLab(t)
	l.subscribe("sharing", func(context.Context, *replhub.Delivery) error { return nil })
	plain, err := replhub.Connect(t.Context(), replhub.Config{URL: l.url})
	l.must(err)
	t.Cleanup(plain.Close)
	for _, header := range []map[string][]string{nil, {"traceparent": {"nonsense"}}, {"traceparent": {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}} {
		l.spans.Reset()
		_, err = plain.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Update, Header: header})
		l.must(err)
		handle := l.awaitAny("handle " + stream)
		if handle.Parent.IsValid() || len(l.spans.GetSpans()) != 1 {
			t.Errorf("%v: parent %v, %d spans", header, handle.Parent, len(l.spans.GetSpans()))
		}
	}
	// The publisher has decided against this trace, and everybody follows.
	l.spans.Reset()
	_, err = plain.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Update, Header: map[string][]string{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}}})
	l.must(err)
	_, err = plain.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Update, Key: "sampled", Header: map[string][]string{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}})
	l.must(err)
	id, err := trace.TraceIDFromHex("0af7651916cd43dd8448eb211c80319c")
	l.must(err)
	if spans := l.await(id, "copy "+stream, "handle "+stream); len(spans["copy "+stream]) != 1 || len(spans["handle "+stream]) > 1 {
		t.Errorf("the trace that is not sampled has spans: %v", spans)
	}
}

// TestTraceOfADeadLetter has an attempt for each failure, and the letter at the end.
func TestTraceOfADeadLetter(t *testing.T) {
	l := newLab(t)
	const secret = "hunter2"
	l.subscribe("sharing", func(_ context.Context, d *replhub.Delivery) error {
		if d.Key == "panics" {
			panic(secret)
		}
		return fmt.Errorf("cannot use %s: %w", d.Data, errors.New(secret))
	})
	c := l.client("profile")
	for _, key := range []string{"fails", "panics"} {
		l.spans.Reset()
		ctx, caller := l.provider.Tracer("app").Start(t.Context(), "caller")
		_, err := c.Publish(ctx, replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: []byte(`{"pw":"` + secret + `"}`)})
		l.must(err)
		spans := l.await(caller.SpanContext().TraceID(), owner, "deliver "+stream, "handle "+stream, "dead_letter DLQ")
		parent := spans[owner][0].SpanContext.SpanID()
		letter := spans["dead_letter DLQ"][0]
		l.expect(letter, parent, trace.SpanKindClient, map[string]any{
			"messaging.operation.type": "settle", "messaging.destination.name": "DLQ", "replhub.dead_letter.reason": "failed", "error.type": "failed", "messaging.consumer.group.name": "sharing",
		})
		attempts := spans["handle "+stream]
		if len(attempts) != 2 || len(spans["deliver "+stream]) != 1 {
			t.Errorf("%s: %d attempts, %d deliveries", key, len(attempts), len(spans["deliver "+stream]))
		}
		for i, s := range attempts {
			l.expect(s, parent, trace.SpanKindConsumer, map[string]any{"replhub.attempt": i + 1})
			if s.Status.Code != codes.Error || len(s.Events) != 1 || s.Events[0].Name != "exception" {
				t.Errorf("%s: status %v, events %v", key, s.Status, s.Events)
			}
		}
		if key == "panics" && value(attempts[0], "error.type").AsString() != "panic" {
			t.Errorf("error.type %v", value(attempts[0], "error.type"))
		}
		if letter.Status.Code != codes.Error || len(letter.Events) != 1 {
			t.Errorf("%s: the letter's status %v, events %v", key, letter.Status, letter.Events)
		}
	}
	l.keepsQuiet(secret, "fails")
}

// TestTracesOfABatch has the events' traces meet in the batch's span.
func TestTracesOfABatch(t *testing.T) {
	l := newLab(t)
	var batches []int
	sub, err := replhub.NewBatchSubscriber(l.client("sharing"), replhub.SubscriberConfig{
		Workers: 1, MaxAttempts: 1, OnDead: l.telemetry.OnDead(nil),
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartAll()}}},
	}, l.telemetry.BatchHandler(replhub.BatchHandlerFunc(func(_ context.Context, batch []*replhub.Delivery) error {
		batches = append(batches, len(batch))
		for _, d := range batch {
			if d.Key == "bad" {
				return errors.New("no")
			}
		}
		return nil
	})))
	l.must(err)
	events := make([]replhub.Event, 12)
	for i := range events {
		events[i] = replhub.Event{Entity: "user", Op: replhub.Update, Key: fmt.Sprint("k", i)}
	}
	events[5].Key = "bad"
	_, err = l.client("profile").PublishAll(t.Context(), events)
	l.must(err)
	l.run(sub.Run)
	letter := l.awaitAny("dead_letter DLQ")
	publishes := l.named(owner)
	if len(publishes) != len(events) {
		t.Fatalf("%d publishes", len(publishes))
	}
	linked := 0
	for _, p := range publishes {
		of, parent := p.SpanContext.TraceID(), p.SpanContext.SpanID()
		spans := l.await(of, "copy "+stream, "deliver "+stream, "handle "+stream)
		handle := spans["handle "+stream]
		if len(handle) != 1 || len(spans["deliver "+stream]) != 1 || len(spans["copy "+stream]) != 1 {
			t.Errorf("%d handled, %d delivered", len(handle), len(spans["deliver "+stream]))
		}
		l.expect(handle[0], parent, trace.SpanKindConsumer, map[string]any{"messaging.operation.type": "process"})
		if failed := handle[0].Status.Code == codes.Error; failed != (of == letter.SpanContext.TraceID()) {
			t.Errorf("failed %v", failed)
		}
		linked += len(handle[0].Links)
	}
	together := 0
	for _, s := range l.named("handle " + stream) {
		if n := value(s, "messaging.batch.message_count").AsInt64(); n > 0 {
			together++
			if int64(len(s.Links)) != n || s.Parent.IsValid() {
				t.Errorf("a batch of %d has %d links, parent %v", n, len(s.Links), s.Parent)
			}
		}
	}
	if together == 0 || linked == 0 || slices.Max(batches) < 2 {
		t.Errorf("%d spans of batches, %d links to one; batches %v", together, linked, batches)
	}
}
