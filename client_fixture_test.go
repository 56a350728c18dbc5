package replhub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/testenv/hubstreams"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/kvmap"
)

// lab is a nats-server for one test, with what the test puts on it.
type lab struct {
	t      *testing.T
	server *natstest.Server // nil where url is that of another kind of server
	url    string
	// log keeps what instances log; nil leaves it to the test's output.
	log *recorder
	// domain is that of JetStream, for clients at a leaf node.
	domain string
}

func newLab(t *testing.T, change ...func(*embedded.Config)) *lab {
	t.Helper()
	server := natstest.Start(t, change...)
	return &lab{t: t, server: server, url: server.URL()}
}

// js is JetStream over a connection of its own.
func (l *lab) js() jetstream.JetStream {
	l.t.Helper()
	nc, err := nats.Connect(l.url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		l.t.Fatal(err)
	}
	return js
}

// openIngest makes the stream that takes every event, as the hub does.
func (l *lab) openIngest() jetstream.Stream {
	l.t.Helper()
	js := l.js()
	if err := hubstreams.Create(l.t.Context(), js.Conn()); err != nil {
		l.t.Fatal(err)
	}
	s, err := js.Stream(l.t.Context(), "DB")
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// ingestLike makes that stream with changes that the hub does not make.
func (l *lab) ingestLike(change func(*jetstream.StreamConfig)) jetstream.Stream {
	l.t.Helper()
	cfg := jetstream.StreamConfig{
		Name: "DB", Subjects: []string{"db.*.create", "db.*.read", "db.*.update", "db.*.delete"},
		Discard: jetstream.DiscardNew, Duplicates: 10 * time.Minute,
	}
	change(&cfg)
	s, err := l.js().CreateOrUpdateStream(l.t.Context(), cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// client connects to the lab's server.
func (l *lab) client(change ...func(*replhub.Config)) *replhub.Client {
	l.t.Helper()
	cfg := replhub.Config{
		URL: l.url, Domain: l.domain, Logger: slog.New(slog.DiscardHandler),
		Options: []nats.Option{nats.ReconnectWait(20 * time.Millisecond)},
		// A leaf node hears of the hub's subscriptions a moment after the hub is ready.
		WaitForHub: l.domain != "",
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := replhub.Connect(l.t.Context(), cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	return c
}

// stored reads all events of ingest in order.
func (l *lab) stored(s jetstream.Stream) []*jetstream.RawStreamMsg {
	l.t.Helper()
	info, err := s.Info(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	if info.State.Msgs == 0 {
		return nil
	}
	c, err := s.CreateConsumer(l.t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true})
	if err != nil {
		l.t.Fatal(err)
	}
	batch, err := c.Fetch(int(info.State.Msgs), jetstream.FetchMaxWait(10*time.Second))
	if err != nil {
		l.t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for m := range batch.Messages() {
		all = append(all, &jetstream.RawStreamMsg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
	}
	if err := batch.Error(); err != nil || len(all) != int(info.State.Msgs) {
		l.t.Fatalf("read %d of %d events: %v", len(all), info.State.Msgs, err)
	}
	return all
}

// eventually waits for a condition.
func (l *lab) eventually(what string, check func() error) {
	l.t.Helper()
	patience := time.Minute
	if end, ok := l.t.Deadline(); ok {
		// Where the whole run is short of time, a test tells what it missed.
		patience = min(patience, time.Until(end)/2)
	}
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("waited in vain for %s: %v", what, err)
		}
		<-tick.C
	}
}

// startHub runs a hub on a server until stop is called.
func startHub(url string) (stop func() error, err error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: quiet})
	if err != nil {
		return nil, err
	}
	h, err := hub.New(hub.Config{Conn: nc, Registry: registry, Logger: quiet})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop = func() error {
		cancel()
		err := <-done
		nc.Close()
		return err
	}
	select {
	case <-h.Ready():
		return stop, nil
	case <-time.After(15 * time.Second):
		return nil, errors.Join(errors.New("the hub did not get ready"), stop())
	}
}

// startHub runs a hub until the test ends.
func (l *lab) startHub() {
	l.t.Helper()
	stop, err := startHub(l.url)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := stop(); err != nil {
			l.t.Error(err)
		}
	})
}

// ask sends an empty control request and decodes its reply.
func (l *lab) ask(subject string, reply any) {
	l.t.Helper()
	m, err := l.js().Conn().Request(subject, nil, 10*time.Second)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := json.Unmarshal(m.Data, reply); err != nil {
		l.t.Fatal(err)
	}
}

// user is an event of a row whose payload is a number.
func user(key string, n int) replhub.Event {
	return replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: []byte(strconv.Itoa(n))}
}

// ascending checks that the numbers of each key ascend in ingest, and returns
// how many there are.
func ascending(t *testing.T, msgs []*jetstream.RawStreamMsg) int {
	t.Helper()
	last := make(map[string]int)
	for _, m := range msgs {
		key := m.Header.Get("Replhub-Key")
		n, err := strconv.Atoi(string(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		if have, ok := last[key]; ok && n <= have {
			t.Errorf("key %s: %d stored after %d", key, n, have)
		}
		last[key] = n
	}
	return len(msgs)
}

// wants fails unless err is all of the sentinels.
func wants(t *testing.T, err error, sentinels ...error) {
	t.Helper()
	for _, want := range sentinels {
		if !errors.Is(err, want) {
			t.Errorf("error %v, want one that is %q", err, want)
		}
	}
}

// wantsNot fails if err is one of the sentinels.
func wantsNot(t *testing.T, err error, sentinels ...error) {
	t.Helper()
	for _, not := range sentinels {
		if errors.Is(err, not) {
			t.Errorf("error %v, which should not be %q", err, not)
		}
	}
}

func count(what string, have, want int) error {
	if have != want {
		return fmt.Errorf("%s: %d, want %d", what, have, want)
	}
	return nil
}
