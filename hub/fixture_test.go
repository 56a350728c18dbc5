package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/kvmap"
)

// world is a nats-server with one or more hubs on it, for one test.
type world struct {
	t      *testing.T
	dir    string
	server *cluster.NATS // nil in a cluster
	url    string
	nc     *nats.Conn
	js     jetstream.JetStream
	// patience is how long what must come may take.
	patience time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := cluster.StartNATS(t)
	w := &world{t: t, server: server, dir: server.StoreDir(), url: server.URL(), patience: time.Minute}
	w.open()
	return w
}

// newCluster is a world on three servers. Each answer that goes with a leader is
// waited for, a second or a few.
func newCluster(t *testing.T) *world {
	t.Helper()
	return clusterWorld(t, cluster.StartNATSCluster(t, 3))
}

// clusterWorld is a world on servers of one cluster.
func clusterWorld(t *testing.T, servers *cluster.NATSCluster) *world {
	t.Helper()
	w := &world{t: t, url: servers.URL(), patience: time.Minute}
	w.open(jetstream.WithDefaultTimeout(time.Second))
	return w
}

func (w *world) open(options ...jetstream.JetStreamOpt) {
	w.t.Helper()
	w.nc = w.connect()
	var err error
	if w.js, err = jetstream.New(w.nc, options...); err != nil {
		w.t.Fatal(err)
	}
}

// startServer starts the server again.
func (w *world) startServer() {
	w.t.Helper()
	w.server.Start()
}

func (w *world) stopServer() {
	w.t.Helper()
	w.server.Stop()
}

func (w *world) connect() *nats.Conn {
	w.t.Helper()
	// All to one server of a cluster, which knows at once who listens.
	nc, err := nats.Connect(w.url, nats.DontRandomize(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	return nc
}

// startHub runs a hub until the test ends or stop is called.
func (w *world) startHub(change ...func(*hub.Config)) (stop func()) {
	w.t.Helper()
	nc := w.connect()
	js, err := jetstream.New(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: quiet(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := hub.Config{Conn: nc, Registry: registry, Logger: quiet(w.t), StartTimeout: w.patience}
	for _, c := range change {
		c(&cfg)
	}
	h, err := hub.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("hub: %v", err)
			}
		case <-time.After(w.patience):
			w.t.Error("hub did not stop")
		}
		nc.Close()
	}
	w.t.Cleanup(stop)
	select {
	case <-h.Ready():
	case err := <-done:
		stopped = true
		w.t.Fatalf("hub: %v", err)
	case <-time.After(w.patience):
		w.t.Fatal("hub did not get ready")
	}
	return stop
}

// call sends a control request and decodes its reply; a refusal is a *contract.Error.
func (w *world) call(subject, request string, reply any) error {
	w.t.Helper()
	m, err := w.nc.Request(subject, []byte(request), w.patience)
	if err != nil {
		return fmt.Errorf("request %s: %w", subject, err)
	}
	if m.Header.Get("Nats-Service-Error-Code") != "" {
		var refusal contract.Refusal
		if err := json.Unmarshal(m.Data, &refusal); err != nil {
			return err
		}
		return refusal.Error
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(m.Data, reply)
}

// register sends the request again while the hub says so, as users do.
func (w *world) register(service, request string) (reply contract.Registered) {
	w.t.Helper()
	w.eventually("a registration of "+service, func() error {
		err := w.call("replhub.register."+service, request, &reply)
		if refusal, ok := errors.AsType[*contract.Error](err); err != nil && (!ok || refusal.Code != contract.CodeUnavailable) {
			w.t.Fatalf("register %s %s: %v", service, request, err)
		}
		return err
	})
	return reply
}

func (w *world) publish(subject, payload string, header ...string) uint64 {
	w.t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(payload)
	for i := 0; i+1 < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	ack, err := w.js.PublishMsg(w.t.Context(), m)
	if err != nil {
		w.t.Fatalf("publish %s: %v", subject, err)
	}
	return ack.Sequence
}

// publishOnce publishes under an id, so that it may be tried again.
func (w *world) publishOnce(id, subject, payload string) error {
	_, err := w.js.Publish(w.t.Context(), subject, []byte(payload), jetstream.WithMsgID(id))
	return err
}

// copies reads a lane's copies as they lie in its stream, state records left
// out, once there are n of them.
func (w *world) copies(service string, n int) []*jetstream.RawStreamMsg {
	w.t.Helper()
	var found []*jetstream.RawStreamMsg
	w.eventually(fmt.Sprintf("%d copies for %s", n, service), func() error {
		s, err := w.js.Stream(w.t.Context(), "SUB_"+service)
		if err != nil {
			return err
		}
		found, err = w.read(s)
		if err != nil {
			return err
		}
		if len(found) < n {
			return fmt.Errorf("%d so far", len(found))
		}
		return nil
	})
	if len(found) > n {
		w.t.Fatalf("%d copies for %s, want %d", len(found), service, n)
	}
	return found
}

// read returns a lane's copies by a consumer of its own.
func (w *world) read(s jetstream.Stream) ([]*jetstream.RawStreamMsg, error) {
	c, err := s.CreateConsumer(w.t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.DeleteConsumer(context.Background(), c.CachedInfo().Name) }()
	var found []*jetstream.RawStreamMsg
	for left := int(c.CachedInfo().NumPending); left > 0; {
		batch, err := c.Fetch(min(left, 1000), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return nil, err
		}
		for m := range batch.Messages() {
			left--
			meta, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			if m.Headers().Get(contract.HeaderState) == "" {
				found = append(found, &jetstream.RawStreamMsg{
					Subject: m.Subject(), Sequence: meta.Sequence.Stream, Header: m.Headers(), Data: m.Data(), Time: meta.Timestamp,
				})
			}
		}
		if err := batch.Error(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// eventually waits for a condition.
func (w *world) eventually(what string, check func() error) {
	w.t.Helper()
	patience := w.patience
	if end, ok := w.t.Deadline(); ok {
		// Where the whole run is short of time, a test tells what it missed.
		patience = min(patience, time.Until(end)/2)
	}
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for %s: %v", what, err)
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-timer.C:
		case <-w.t.Context().Done():
			w.t.Fatal(w.t.Context().Err())
		}
	}
}

// quiet logs into the test, where only a failure shows it.
func quiet(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// stream is a stream with fresh information.
func (w *world) stream(name string) jetstream.Stream {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// consume takes and acknowledges n copies as a worker does.
func (w *world) consume(service, consumer string, n int) []jetstream.Msg {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, consumer)
	if err != nil {
		w.t.Fatal(err)
	}
	var got []jetstream.Msg
	for len(got) < n {
		batch, err := c.Fetch(n-len(got), jetstream.FetchMaxWait(10*time.Second))
		if err != nil {
			w.t.Fatal(err)
		}
		before := len(got)
		for m := range batch.Messages() {
			if err := m.DoubleAck(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			got = append(got, m)
		}
		if len(got) == before {
			w.t.Fatalf("%d copies for a worker of %s, want %d", len(got), service, n)
		}
	}
	return got
}

func asRefusal(t *testing.T, err error) *contract.Error {
	t.Helper()
	refusal, ok := errors.AsType[*contract.Error](err)
	if !ok {
		t.Fatalf("not a refusal: %v", err)
	}
	return refusal
}
