package intruder_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/rolestest"
)

// ackV2 has the server write acknowledgement subjects in their second form.
const ackV2 = "\nfeature_flags { js_ack_fc_v2: true }\n"

// Everything that the SDK and plain clients do works with what "replhub auth"
// prints, and the server denies nobody anything.
func TestRolesSuffice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		layout rolestest.Layout
		extra  string
	}{
		{"one account", rolestest.OneAccount, ""},
		{"one account, acks of version 2", rolestest.OneAccount, ackV2},
		{"two accounts", rolestest.TwoAccounts, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.layout, tt.extra)
			w.startHub("one")
			w.startHub("two")
			w.services()
			w.operators()
			w.backup()
			w.none()
		})
	}
}

// services publish, subscribe in both orders, serve and get snapshots and backfills,
// wait in an outage, and bury.
func (w *world) services() {
	w.t.Helper()
	profile := w.client("profile")
	w.publishes(profile)
	serving := w.run("serve rows", func(ctx context.Context) error {
		return profile.ServeSnapshot(ctx, "user", func(_ context.Context, after string, yield func(replhub.Event) error) error {
			if after != "" {
				return nil
			}
			return errors.Join(yield(replhub.Event{Key: "r1", Data: []byte(`{"id":"r1"}`)}), yield(replhub.Event{Key: "r2", Data: []byte(`{"id":"r2"}`)}))
		})
	})
	w.unordered(profile)
	w.ordered(profile)
	w.plain(profile)
	serving()
}

// run runs until the function that it returns is called.
func (w *world) run(what string, do func(ctx context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- do(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			w.t.Errorf("%s: %v", what, err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// publishes publishes in every way.
func (w *world) publishes(c *replhub.Client) {
	w.t.Helper()
	ctx := w.t.Context()
	if _, err := c.Publish(ctx, events("user", 0, 1)[0]); err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.PublishBatch(ctx, events("user", 1, 3)); err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.PublishAll(ctx, events("user", 4, 40)); err != nil {
		w.t.Fatal(err)
	}
	pending, err := c.PublishAsync(ctx, events("tenant", 0, 1)[0])
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := pending.Wait(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// unordered is a service that begins with a snapshot, meets an outage, buries one
// event, has it redriven, and repairs itself by a backfill.
func (w *world) unordered(owner *replhub.Client) {
	w.t.Helper()
	sharing := w.client("sharing")
	var rows, handled, away, parked atomic.Int64
	stop := w.run("sharing", func(ctx context.Context) error {
		return sharing.RunSubscriber(ctx, replhub.SubscriberConfig{
			Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartSnapshot()}}},
			MinBackoff:   time.Millisecond,
		}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			switch {
			case d.Row > 0:
				rows.Add(1)
			case d.Key == "away" && away.Add(1) < 4:
				return replhub.Unavailable(errors.New("the database is away"))
			case d.Key == "poison" && parked.Add(1) == 1:
				return replhub.Park(errors.New("poison"))
			default:
				handled.Add(1)
			}
			return nil
		}))
	})
	w.eventually("the snapshot's rows", func() error { return atLeast(&rows, 2) })
	for _, key := range []string{"poison", "away", "after"} {
		if _, err := owner.Publish(w.t.Context(), replhub.Event{Entity: "user", Op: replhub.Create, Key: key, Data: []byte(`{}`)}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.eventually("an outage to be told and over", func() error { return atLeast(&handled, 2) })
	w.eventually("a dead letter", func() error {
		status, err := sharing.Describe(w.t.Context())
		if err == nil && status.DeadLetters != 1 {
			err = fmt.Errorf("%d dead letters", status.DeadLetters)
		}
		return err
	})
	w.must(w.Connect("sharing"), "replhub.redrive.sharing", `{"all":true}`)
	w.eventually("the letter's event", func() error { return atLeast(&handled, 3) })
	if _, err := sharing.Backfill(w.t.Context(), "user", ""); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the backfill's rows", func() error { return atLeast(&rows, 4) })
	stop()
}

// ordered is a service with an order by key and two instances, one of which leaves.
func (w *world) ordered(owner *replhub.Client) {
	w.t.Helper()
	var handled atomic.Int64
	begin := func(instance string) (stop func()) {
		client := w.client("keyed")
		return w.run(instance, func(ctx context.Context) error {
			return client.RunSubscriber(ctx, replhub.SubscriberConfig{
				Instance: instance, MinBackoff: time.Millisecond, MaxAttempts: 2,
				Registration: replhub.Registration{
					Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartAll()}},
					Queue:     replhub.Queue{Order: replhub.OrderKey, Partitions: 4},
				},
			}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
				if d.Key == "poison" && d.Attempt < 3 {
					return errors.New("fails twice")
				}
				handled.Add(1)
				return nil
			}))
		})
	}
	first := begin("first")
	w.eventually("events at one instance", func() error { return atLeast(&handled, 40) })
	second := begin("second")
	w.eventually("both instances to have partitions", func() error {
		var status contract.LaneStatus
		if err := w.call(w.root, "replhub.describe.keyed", "", &status); err != nil {
			return err
		}
		holders := map[string]bool{}
		for _, worker := range status.Workers {
			holders[worker.Holder] = true
		}
		if !holders["first"] || !holders["second"] {
			return fmt.Errorf("held by %v", holders)
		}
		return nil
	})
	first()
	before := handled.Load()
	if _, err := owner.PublishBatch(w.t.Context(), events("user", 100, 20)); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("events after a hand-over", func() error { return atLeast(&handled, before+20) })
	second()
}

// plain is a service without the SDK: it registers by a request, takes by the
// client library, gives one event up and leaves one unacknowledged.
func (w *world) plain(owner *replhub.Client) {
	w.t.Helper()
	nc := w.Connect("audit")
	w.must(nc, "replhub.register.audit", `{"entities":["user"],"queue":{"ack_wait":"100ms","max_deliver":1}}`)
	if _, err := owner.PublishBatch(w.t.Context(), events("user", 0, 3)); err != nil {
		w.t.Fatal(err)
	}
	consumer, err := w.JetStream(nc).Consumer(w.t.Context(), "SUB_audit", contract.ConsumerWorkers)
	if err != nil {
		w.t.Fatal(err)
	}
	settle := []func(jetstream.Msg) error{
		func(m jetstream.Msg) error { return m.DoubleAck(w.t.Context()) },
		func(m jetstream.Msg) error { return m.TermWithReason("no use") },
		func(m jetstream.Msg) error { return m.InProgress() },
	}
	for _, do := range settle {
		m, err := consumer.Next(jetstream.FetchMaxWait(patience / 2))
		if err != nil {
			w.t.Fatal(err)
		}
		if err := do(m); err != nil {
			w.t.Fatal(err)
		}
	}
	// One was given up, and one exhausted its only delivery: the hub makes letters.
	w.eventually("two dead letters", func() error {
		var status contract.LaneStatus
		if err := w.call(nc, "replhub.describe.audit", "", &status); err != nil {
			return err
		}
		if status.DeadLetters != 2 {
			return fmt.Errorf("%d dead letters: %w", status.DeadLetters, errNotYet)
		}
		return nil
	})
}

// operators use every control verb, and observers those that only read.
func (w *world) operators() {
	w.t.Helper()
	operator, observer := w.Connect(rolestest.Operator), w.Connect(rolestest.Observer)
	for _, ask := range []struct{ subject, body string }{
		{"replhub.status", ""},
		{"replhub.services", ""},
		{"replhub.who", `{"entity":"user"}`},
		{"replhub.describe.audit", ""},
		{"replhub.explain.audit", `{"seq":1}`},
	} {
		w.must(observer, ask.subject, ask.body)
		w.must(operator, ask.subject, ask.body)
	}
	for _, ask := range []struct{ subject, body string }{
		{"replhub.pause.audit", `{"for":"1h"}`},
		{"replhub.resume.audit", ""},
		{"replhub.rewind.audit", `{"to":"1h"}`},
		{"replhub.redrive.audit", `{"all":true}`},
		{"replhub.register.other", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`},
		{"replhub.unregister.other", ""},
		{"replhub.drop.other", ""},
	} {
		w.must(operator, ask.subject, ask.body)
	}
}

// backup is how a hub reads the state of a lane's consumers, which it does where the
// server's counts do not say whether a delivery was lost.
func (w *world) backup() {
	w.t.Helper()
	nc := w.Connect(rolestest.Hub)
	chunks, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		w.t.Fatal(err)
	}
	w.must(nc, "$JS.API.STREAM.SNAPSHOT.SUB_keyed", fmt.Sprintf(`{"deliver_subject":%q,"chunk_size":1024}`, chunks.Subject))
	m, err := chunks.NextMsg(patience)
	if err != nil {
		w.t.Fatal(err)
	}
	if m.Reply == "" {
		w.t.Fatalf("the backup begins with %v", m.Header)
	}
	if err := m.Respond(nil); err != nil {
		w.t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

func atLeast(n *atomic.Int64, want int64) error {
	if got := n.Load(); got < want {
		return fmt.Errorf("%d of %d", got, want)
	}
	return nil
}
