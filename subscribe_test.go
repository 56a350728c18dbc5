package replhub_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// orders are both kinds of queue.
var orders = map[string]replhub.Queue{
	"none": {Order: replhub.OrderNone},
	"key":  {Order: replhub.OrderKey, Partitions: 4},
}

func TestSubscribeHandlesEveryEvent(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			rec := newBook()
			i := l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue)}, func(_ context.Context, d *replhub.Delivery) error {
				defer rec.begin("", d)()
				return nil
			})
			l.feed(0, 3000, keyed(50))
			l.eventually("all events", func() error {
				total, _ := rec.counts()
				return count("events", total, 3000)
			})
			if err := i.stop(); err != nil {
				t.Error(err)
			}
			rec.check(t)
			if _, repeats := rec.counts(); repeats > 0 {
				t.Errorf("%d events were handled twice", repeats)
			}
			l.eventually("the last acknowledgements", func() error {
				var status contract.LaneStatus
				l.ask("replhub.describe.sharing", &status)
				return count("events in the backlog", int(status.Backlog), 0)
			})
		})
	}
}

func TestDeliveryHoldsTheEvent(t *testing.T) {
	l := newLab(t)
	l.startHub()
	got := make(chan replhub.Delivery, 1)
	l.instance("sharing", replhub.SubscriberConfig{Registration: users(replhub.Queue{Order: replhub.OrderKey, Partitions: 2})},
		func(_ context.Context, d *replhub.Delivery) error {
			got <- *d
			return nil
		})
	publisher := l.client(func(c *replhub.Config) { c.Service = "profiles" })
	sent := replhub.Event{
		Entity: "user", Op: replhub.Create, Key: "42", ID: "the-id", Version: 7, ContentType: "application/json",
		Data: []byte(`{"id":"42"}`), Header: map[string][]string{"Colour": {"red"}},
	}
	if _, err := publisher.Publish(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	d := <-got
	if d.Service != "sharing" || d.Entity != "user" || d.Op != replhub.Create || d.Key != "42" || d.ID != "the-id" || d.Version != 7 ||
		d.ContentType != "application/json" || string(d.Data) != `{"id":"42"}` || d.Origin != "profiles" || d.Attempt != 1 {
		t.Errorf("delivery %+v", d)
	}
	if d.Position != (replhub.Position{Epoch: 1, Seq: 1}) || time.Since(d.Time) > time.Minute {
		t.Errorf("position %v, time %v", d.Position, d.Time)
	}
	if d.Header["Colour"][0] != "red" || d.Header["Nats-Pin-Id"] != nil {
		t.Errorf("headers %v", d.Header)
	}
}

func TestFailingKeyHoldsUpItselfAlone(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			rec := newBook()
			var failures atomic.Int32
			l.instance("sharing", replhub.SubscriberConfig{
				Registration: users(queue), Workers: 2, MaxInFlight: 20, MinBackoff: 20 * time.Millisecond, MaxAttempts: 1000,
			}, func(_ context.Context, d *replhub.Delivery) error {
				if d.Key == "k0" && failures.Add(1) < 8 {
					return errors.New("not now")
				}
				defer rec.begin("", d)()
				return nil
			})
			// More events of the failing key than may be in flight.
			l.feed(0, 400, keyed(2))
			l.eventually("the others", func() error {
				if failures.Load() > 7 {
					t.Fatal("the failing key was through before the others: the test shows nothing")
				}
				total, _ := rec.counts()
				return count("events", total, 200)
			})
			l.eventually("all", func() error {
				total, _ := rec.counts()
				return count("events", total, 400)
			})
			rec.check(t)
		})
	}
}

func TestDeadLetters(t *testing.T) {
	cause := errors.New("no such\ntenant")
	cases := map[string]struct {
		handle   replhub.HandlerFunc
		reason   string
		attempts string
		text     string
		stack    string
	}{
		"limit": {
			handle: func(context.Context, *replhub.Delivery) error { return cause },
			reason: "failed", attempts: "3", text: "no such tenant",
		},
		"park": {
			handle: func(context.Context, *replhub.Delivery) error { return replhub.Park(cause) },
			reason: "parked", attempts: "1", text: "no such tenant",
		},
		"panic": {
			handle: func(context.Context, *replhub.Delivery) error { panic("at the disco") },
			reason: "failed", attempts: "3", text: "the handler panicked: at the disco", stack: "TestDeadLetters",
		},
		"payload": {
			handle: replhub.JSON(func(context.Context, *replhub.Delivery, struct{}) error { return nil }).Handle,
			reason: "parked", attempts: "1", text: "decode the payload",
		},
		"no JSON": {
			handle: func(_ context.Context, d *replhub.Delivery) error {
				var v any
				return json.Unmarshal(d.Data, &v)
			},
			reason: "invalid", attempts: "1", text: "invalid character",
		},
		"a value": {
			handle: func(context.Context, *replhub.Delivery) error {
				return errors.New("ERROR: value too long for type character varying(3) (SQLSTATE 22001)")
			},
			reason: "invalid", attempts: "1", text: "value too long",
		},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			good := make(chan string, 1)
			told := make(chan error, 1)
			l.instance("sharing", replhub.SubscriberConfig{
				Registration: users(replhub.Queue{}), MaxAttempts: 3, MinBackoff: time.Millisecond,
				OnDead: func(_ *replhub.Delivery, err error) { told <- err },
			}, func(ctx context.Context, d *replhub.Delivery) error {
				if string(d.Data) == "good" {
					good <- d.Key
					return nil
				}
				return tt.handle(ctx, d)
			})
			for _, data := range []string{"bad", "good"} {
				publish(t, l, replhub.Event{Entity: "user", Op: replhub.Update, Key: "42", Data: []byte(data), Header: map[string][]string{"Colour": {"red"}}})
			}
			if key := <-good; key != "42" {
				t.Errorf("key %q", key)
			}
			if err := <-told; !strings.Contains(err.Error(), tt.text) {
				t.Errorf("told %v", err)
			}
			dlq, err := l.js().Stream(t.Context(), "DLQ")
			if err != nil {
				t.Fatal(err)
			}
			m, err := dlq.GetMsg(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			h := m.Header
			if m.Subject != "dlq.sharing.user.update" || string(m.Data) != "bad" || h.Get("Colour") != "red" || h.Get("Replhub-Position") != "1-1" {
				t.Errorf("letter %s %q %v", m.Subject, m.Data, h)
			}
			if h.Get("Replhub-Reason") != tt.reason || h.Get("Replhub-Attempts") != tt.attempts || !strings.Contains(h.Get("Replhub-Error"), tt.text) {
				t.Errorf("headers %v", h)
			}
			if !strings.Contains(h.Get("Replhub-Stack"), tt.stack) || (tt.stack == "") != (h.Get("Replhub-Stack") == "") {
				t.Errorf("stack %q", h.Get("Replhub-Stack"))
			}
			for _, name := range []string{"Replhub-First-Attempt", "Replhub-Last-Attempt"} {
				if at, err := time.Parse(time.RFC3339Nano, h.Get(name)); err != nil || time.Since(at) > time.Minute {
					t.Errorf("%s %q", name, h.Get(name))
				}
			}
		})
	}
}

func publish(t *testing.T, l *lab, e replhub.Event) {
	t.Helper()
	if _, err := l.client().Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}
