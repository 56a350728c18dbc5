package cloudevents_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/cloudevents"
	"github.com/replhub/replhub/push"
	"github.com/replhub/replhub/replhubtest"
)

// The requests of push are the CloudEvents of its deliveries: there is one mapping.
func TestPushSendsTheSameAttributes(t *testing.T) {
	h := replhubtest.Start(t)
	sharing, profile := h.Client(t, "sharing"), h.Client(t, "user-profile")
	deliveries := make(chan replhub.Delivery, 4)
	requests := make(chan cloudevents.CloudEvent, 4)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e, err := cloudevents.Parse(r.Header, body)
		if err != nil {
			t.Error(err)
		}
		requests <- e
		w.WriteHeader(http.StatusNoContent)
	}))
	defer endpoint.Close()
	wants := replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartAll()}}}
	for _, ev := range []replhub.Event{
		{Entity: "user", Op: replhub.Update, Key: "naïve 4%", ID: "ev.1", Version: 7, Data: []byte(`{"id":"42"}`), Header: map[string][]string{
			"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "X-Own": {"1"},
		}},
		{Entity: "user", Op: replhub.Delete, Key: "2", ID: "ev.2", ContentType: "text/plain"},
		{Entity: "user", Op: replhub.Create, ID: "ev.3", Data: []byte("\xff"), ContentType: "no type/"},
	} {
		if _, err := profile.Publish(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	nc, err := nats.Connect(h.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := push.Run(t.Context(), push.Config{
		Conn: nc, Service: "webhook", Registration: wants, URL: endpoint.URL, AllowPrivate: true, Once: true, Concurrency: 1,
		Secrets: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- sharing.RunSubscriber(ctx, replhub.SubscriberConfig{Registration: wants}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			deliveries <- *d
			return nil
		}))
	}()
	sent, made := make(map[string]cloudevents.CloudEvent), make(map[string]cloudevents.CloudEvent)
	for range 3 {
		r := <-requests
		sent[r.ID] = r
		d := <-deliveries
		e, err := cloudevents.OfDelivery(&d)
		if err != nil {
			t.Fatal(err)
		}
		// What HTTP says elsewhere, or push leaves out: trace, partition key, own headers
		// and what the publisher called the content type.
		for _, name := range []string{"traceparent", "partitionkey", "replhubheaders", "replhubcontenttype"} {
			delete(e.Extensions, name)
		}
		made[e.ID] = e
	}
	if diff := cmp.Diff(made, sent, cmp.Transformer("data", func(b []byte) string { return string(b) })); diff != "" {
		t.Errorf("(-of the delivery +of push):\n%s", diff)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A CloudEvent of others in binary mode, published by a plain client, is an event as it
// stands, and a CloudEvent still for its subscriber. In structured mode it is read first.
func TestCloudEventsOverNATS(t *testing.T) {
	h := replhubtest.Start(t)
	nc, err := nats.Connect(h.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	theirs := cloudevents.CloudEvent{
		ID: "7", Source: "/shop", Type: "com.example.user", Subject: "naïve", DataContentType: "application/json", Data: []byte(`{"id":"42"}`),
		Time: time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC), Extensions: map[string]string{"ext": "1"},
	}
	header, data, err := theirs.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "db.user.create", Header: header, Data: data}); err != nil {
		t.Fatal(err)
	}
	header, data, err = theirs.Structured()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := cloudevents.Parse(header, data)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := parsed.Event(cloudevents.Rules{Types: map[string]cloudevents.Target{"com.example.user": {Entity: "user", Op: replhub.Update}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Client(t, "shop").Publish(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	got := make(chan replhub.Delivery, 2)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	sharing := h.Client(t, "sharing")
	go func() {
		ended <- sharing.RunSubscriber(ctx, replhub.SubscriberConfig{
			Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartAll()}}},
		}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			c := *d
			c.Header = maps.Clone(d.Header)
			got <- c
			return nil
		}))
	}()
	for range 2 {
		d := <-got
		back, err := cloudevents.Parse(d.Header, d.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(theirs, back); diff != "" {
			t.Errorf("%s comes back changed (-want +got):\n%s", d.Op, diff)
		}
		if want := map[replhub.Op]string{replhub.Create: "42", replhub.Update: "naïve"}[d.Op]; d.Key != want {
			t.Errorf("%s has the key %q, want %q", d.Op, d.Key, want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
