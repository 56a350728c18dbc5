// Package intruder_test runs services, operators and intruders with the permissions
// that "replhub auth" prints, on servers with TLS. What everybody needs works without
// one word of denial in the server's log, and what an intruder tries does not.
package intruder_test

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
	"go.uber.org/goleak"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/internal/testenv/rolestest"
	"github.com/replhub/replhub/kvmap"
	"github.com/replhub/replhub/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long what must come may take.
const patience = time.Minute

// world is a server with roles, and hubs on it.
type world struct {
	*rolestest.Server

	t    *testing.T
	root *nats.Conn
	js   jetstream.JetStream // root's
}

func newWorld(t *testing.T, layout rolestest.Layout, extra string) *world {
	t.Helper()
	w := &world{t: t, Server: rolestest.Start(t, layout, extra, roles(t)...)}
	w.root = w.Connect(rolestest.Root)
	w.js = w.JetStream(w.root)
	return w
}

// roles are the services of all tests: profile owns users, payment payments;
// sharing, audit and keyed subscribe.
func roles(t *testing.T) []permissions.ServiceRole {
	t.Helper()
	user, tenant, payment := name(t, "user"), name(t, "tenant"), name(t, "payment")
	return []permissions.ServiceRole{
		{Name: name(t, "profile"), Publishes: []subjects.Name{user, tenant}, Snapshots: []subjects.Name{user}},
		{Name: name(t, "payment"), Publishes: []subjects.Name{payment}},
		{Name: name(t, "sharing"), Publishes: []subjects.Name{tenant}},
		{Name: name(t, "audit")},
		{Name: name(t, "keyed")},
	}
}

func name(t *testing.T, s string) subjects.Name {
	t.Helper()
	n, err := subjects.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startHub runs a hub with a hub's permissions until the test ends.
func (w *world) startHub(id string) {
	w.t.Helper()
	nc := w.Connect(rolestest.Hub)
	registry, err := kvmap.New(w.JetStream(nc), kvmap.Config{Bucket: contract.BucketRegistry, Records: hub.RegistryRecords(), Logger: quiet()})
	if err != nil {
		w.t.Fatal(err)
	}
	h, err := hub.New(hub.Config{
		Conn: nc, Registry: registry, ID: id, Logger: quiet(), StartTimeout: patience,
		IngestMaxBytes: 64 << 20, DLQMaxBytes: 16 << 20, LaneMaxBytes: 16 << 20,
		// All that a hub does now and then is done within the test.
		TrimGuard: 200 * time.Millisecond, TrimEvery: 100 * time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- h.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			w.t.Errorf("hub %s: %v", id, err)
		}
	})
	select {
	case <-h.Ready():
	case err := <-over:
		over <- nil
		w.t.Fatalf("hub %s: %v; denied: %q", id, err, w.Violations())
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// client connects with the SDK as a service, which uses its inbox prefix by itself.
func (w *world) client(service string) *replhub.Client {
	w.t.Helper()
	client, err := replhub.Connect(w.t.Context(), replhub.Config{
		URL: w.URL(service), Service: service, Domain: w.Domain(service), Logger: quiet(), Timeout: patience / 2,
		Options: []nats.Option{nats.RootCAs(w.CA), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

// call asks a hub as a user.
func (w *world) call(nc *nats.Conn, subject, body string, reply any) error {
	w.t.Helper()
	answer, err := nc.Request(subject, []byte(body), patience/2)
	if err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	var refusal contract.Refusal
	if json.Unmarshal(answer.Data, &refusal) == nil && refusal.Error != nil {
		return refusal.Error
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, reply)
}

func (w *world) must(nc *nats.Conn, subject, body string) {
	w.t.Helper()
	if err := w.call(nc, subject, body, nil); err != nil {
		w.t.Fatal(err)
	}
}

// eventually waits until check gives no error.
func (w *world) eventually(what string, check func() error) {
	w.t.Helper()
	over := time.After(patience)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-poll.C:
		case <-over:
			w.t.Fatalf("%s: %v; denied: %q", what, err, w.Violations())
		}
	}
}

// none fails where the server has denied anybody anything.
func (w *world) none() {
	w.t.Helper()
	for _, line := range w.Violations() {
		w.t.Errorf("denied: %s", line)
	}
}

var errNotYet = errors.New("not yet")

// events are publishes of a service.
func events(entity string, from, n int) []replhub.Event {
	list := make([]replhub.Event, n)
	for i := range list {
		list[i] = replhub.Event{Entity: entity, Op: replhub.Update, Data: fmt.Appendf(nil, `{"id":"%d","name":"n%d"}`, from+i, from+i)}
	}
	return list
}
