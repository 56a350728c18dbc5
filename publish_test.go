package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
)

func hasty(c *replhub.Config) {
	c.Timeout, c.PublishTimeout = 100*time.Millisecond, 250*time.Millisecond
}

func TestPublishStoresTheEventAsItIs(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client(func(c *replhub.Config) {
		c.Service = "profile"
		c.Trace = func(context.Context) map[string]string {
			return map[string]string{"traceparent": "00-ctx", "tracestate": "a=1"}
		}
	})
	ack, err := c.Publish(t.Context(), replhub.Event{
		Entity: "user", Op: replhub.Create, Key: "42", ID: "e-1", Version: 7, Data: []byte(`{"id":"42"}`),
		ContentType: "application/json", Header: map[string][]string{"traceparent": {"00-own"}, "X-Two": {"a", "b"}},
	})
	if err != nil || ack != (replhub.Ack{Seq: 1}) {
		t.Fatalf("got %+v, %v", ack, err)
	}
	m := l.stored(s)[0]
	want := map[string][]string{
		"Nats-Msg-Id": {"e-1"}, "Replhub-Key": {"42"}, "Replhub-Version": {"7"}, "Replhub-Origin": {"profile"},
		"Content-Type": {"application/json"}, "traceparent": {"00-own"}, "tracestate": {"a=1"}, "X-Two": {"a", "b"},
	}
	if diff := cmp.Diff(want, map[string][]string(m.Header)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if m.Subject != "db.user.create" || string(m.Data) != `{"id":"42"}` {
		t.Errorf("stored %s %s", m.Subject, m.Data)
	}
}

func TestPublishSetsOnlyWhatIsGiven(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	if _, err := l.client().Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Delete}); err != nil {
		t.Fatal(err)
	}
	header := l.stored(s)[0].Header
	if len(header) != 1 || len(header.Get("Nats-Msg-Id")) < 20 {
		t.Errorf("headers %v, want an id alone", header)
	}
}

func TestPublishOfOneIDIsOneEvent(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client()
	ev := user("42", 1)
	ev.ID = "once"
	for i := range 2 {
		ack, err := c.Publish(t.Context(), ev)
		if err != nil || ack != (replhub.Ack{Seq: 1, Duplicate: i == 1}) {
			t.Fatalf("got %+v, %v", ack, err)
		}
	}
	if n := len(l.stored(s)); n != 1 {
		t.Errorf("%d stored", n)
	}
}

func TestPublishRefusesInvalidEvents(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client()
	header := func(name, value string) func(*replhub.Event) {
		return func(e *replhub.Event) { e.Header = map[string][]string{name: {value}} }
	}
	for name, tc := range map[string]struct {
		change func(*replhub.Event)
		says   string
	}{
		"no entity":        {func(e *replhub.Event) { e.Entity = "" }, "Entity: "},
		"entity":           {func(e *replhub.Event) { e.Entity = "User" }, `Entity: name "User"`},
		"entity of tokens": {func(e *replhub.Event) { e.Entity = "a.create.b" }, "Entity: "},
		"no op":            {func(e *replhub.Event) { e.Op = "" }, "Op: "},
		"op":               {func(e *replhub.Event) { e.Op = "rename" }, `Op: op "rename"`},
		"key of lines":     {func(e *replhub.Event) { e.Key = "a\r\nReplhub-Origin: x" }, "Key: "},
		"key of spaces":    {func(e *replhub.Event) { e.Key = " a" }, "Key: "},
		"key of bytes":     {func(e *replhub.Event) { e.Key = "\xff" }, "Key: "},
		"long key":         {func(e *replhub.Event) { e.Key = strings.Repeat("k", 1025) }, "Key: is 1025 bytes long"},
		"id":               {func(e *replhub.Event) { e.ID = "a\nb" }, "ID: "},
		"version":          {func(e *replhub.Event) { e.Version = -1 }, "Version: -1"},
		"content type":     {func(e *replhub.Event) { e.ContentType = "a\nb" }, "ContentType: "},
		"two types": {func(e *replhub.Event) {
			e.ContentType, e.Header = "a/b", map[string][]string{"content-type": {"c/d"}}
		}, "ContentType: stands in Header too"},
		"reserved nats":    {header("nats-Rollup", "all"), `Header["nats-Rollup"]: is reserved`},
		"reserved replhub": {header("Replhub-Origin", "x"), "is reserved"},
		"reserved status":  {header("STATUS", "503"), "is reserved"},
		"header name":      {header("a b", "c"), "is no header name"},
		"no header name":   {header("", "c"), "is no header name"},
		"header value":     {header("A", "b\r\nNats-Rollup: all"), `Header["A"]: value`},
		"spaced value":     {header("A", " b"), `Header["A"]: value`},
	} {
		t.Run(name, func(t *testing.T) {
			ev := user("42", 1)
			tc.change(&ev)
			_, err := c.Publish(t.Context(), ev)
			wants(t, err, replhub.ErrInvalidEvent)
			wantsNot(t, err, replhub.ErrUnknownOutcome)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "Version: -1", "Version: -1"), tc.says) {
				t.Errorf("error %v, want one that says %q", err, tc.says)
			}
		})
	}
	if n := len(l.stored(s)); n != 0 {
		t.Errorf("%d stored", n)
	}
}

func TestPublishWithoutAHub(t *testing.T) {
	l := newLab(t)
	_, err := l.client().Publish(t.Context(), user("42", 1))
	wants(t, err, replhub.ErrNoHub)
	wantsNot(t, err, replhub.ErrUnknownOutcome, replhub.ErrUnknownSubject)
}

func TestPublishIntoAStreamThatIsNotTheHubs(t *testing.T) {
	l := newLab(t)
	l.ingestLike(func(cfg *jetstream.StreamConfig) { cfg.Name = "EVENTS" })
	_, err := l.client().Publish(t.Context(), user("42", 1))
	wants(t, err, replhub.ErrNoHub)
	if err == nil || !strings.Contains(err.Error(), `"EVENTS"`) {
		t.Errorf("error %v does not name the stream", err)
	}
}

func TestPublishOfASubjectThatIsNotTaken(t *testing.T) {
	l := newLab(t)
	l.ingestLike(func(cfg *jetstream.StreamConfig) { cfg.Subjects = []string{"db.user.*", "db.account.create"} })
	c := l.client()
	if _, err := c.Publish(t.Context(), user("42", 1)); err != nil {
		t.Error(err)
	}
	_, err := c.Publish(t.Context(), replhub.Event{Entity: "account", Op: replhub.Update})
	wants(t, err, replhub.ErrUnknownSubject)
	wantsNot(t, err, replhub.ErrNoHub, replhub.ErrUnknownOutcome)
}

func TestPublishTooLarge(t *testing.T) {
	for name, tc := range map[string]struct {
		max int32
		ev  replhub.Event
	}{
		"for the server":  {0, replhub.Event{Entity: "user", Op: replhub.Update, Data: make([]byte, 4096)}},
		"with headers":    {0, replhub.Event{Entity: "user", Op: replhub.Update, Data: make([]byte, 4096-60), Key: strings.Repeat("k", 100)}},
		"for the stream":  {1000, replhub.Event{Entity: "user", Op: replhub.Update, Data: make([]byte, 2000)}},
		"just right":      {0, replhub.Event{Entity: "user", Op: replhub.Update, Data: make([]byte, 3900)}},
		"right by stream": {1000, replhub.Event{Entity: "user", Op: replhub.Update, Data: make([]byte, 500)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(cfg *embedded.Config) { cfg.MaxPayload = 4096 })
			l.ingestLike(func(cfg *jetstream.StreamConfig) { cfg.MaxMsgSize = tc.max })
			_, err := l.client().Publish(t.Context(), tc.ev)
			if strings.Contains(name, "right") {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wants(t, err, replhub.ErrTooLarge)
			wantsNot(t, err, replhub.ErrUnknownOutcome)
		})
	}
}

// Headers have a limit of their own, far below that of a message.
func TestPublishOfTooLargeHeaders(t *testing.T) {
	l := newLab(t)
	l.openIngest()
	ev := user("a", 1)
	ev.Header = map[string][]string{"Big": {strings.Repeat("b", 70000)}}
	_, err := l.client().Publish(t.Context(), ev)
	wants(t, err, replhub.ErrTooLarge)
	wantsNot(t, err, replhub.ErrUnknownOutcome)
}

func TestPublishIntoAFullIngest(t *testing.T) {
	for name, limit := range map[string]func(*jetstream.StreamConfig){
		"bytes":  func(cfg *jetstream.StreamConfig) { cfg.MaxBytes = 1500 },
		"events": func(cfg *jetstream.StreamConfig) { cfg.MaxMsgs = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			s := l.ingestLike(limit)
			c := l.client()
			ev := replhub.Event{Entity: "user", Op: replhub.Update, Data: make([]byte, 500)}
			var err error
			n := 0
			for ; n < 10 && err == nil; n++ {
				_, err = c.Publish(t.Context(), ev)
			}
			wants(t, err, replhub.ErrIngestFull)
			wantsNot(t, err, replhub.ErrUnknownOutcome)
			if err := count("stored", len(l.stored(s)), n-1); err != nil {
				t.Error(err)
			}
		})
	}
}

// A stream that does not answer stores all the same.
func TestPublishWithoutAnAnswerIsOfUnknownOutcome(t *testing.T) {
	l := newLab(t)
	s := l.ingestLike(func(cfg *jetstream.StreamConfig) { cfg.NoAck = true })
	c := l.client(hasty)
	ev := user("42", 1)
	_, err := c.Publish(t.Context(), ev)
	wants(t, err, replhub.ErrUnknownOutcome)
	wantsNot(t, err, replhub.ErrUnavailable)
	failed, ok := errors.AsType[*replhub.PublishError](err)
	if !ok || failed.ID == "" || !strings.Contains(err.Error(), "under the same id is safe") {
		t.Fatalf("error %v does not say how to go on", err)
	}
	l.ingestLike(func(*jetstream.StreamConfig) {})
	ev.ID = failed.ID
	ack, err := c.Publish(t.Context(), ev)
	if err != nil || !ack.Duplicate {
		t.Errorf("got %+v, %v", ack, err)
	}
	if err := count("stored", len(l.stored(s)), 1); err != nil {
		t.Error(err)
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	l := newLab(t)
	l.ingestLike(func(cfg *jetstream.StreamConfig) { cfg.NoAck = true })
	c := l.client()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := c.Publish(ctx, user("42", 1))
	wants(t, err, context.Canceled, replhub.ErrUnknownOutcome)
	_, err = c.Publish(ctx, user("42", 2))
	wants(t, err, context.Canceled)
	wantsNot(t, err, replhub.ErrUnknownOutcome)
}

func TestPublishWhileTheServerIsAway(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	hurried, patient := l.client(hasty), l.client()
	l.server.Stop()
	l.eventually("an error that says so", func() error {
		_, err := hurried.Publish(t.Context(), user("a", 1))
		wantsNot(t, err, replhub.ErrNoHub)
		// The loss of the connection itself may come a little later.
		if !errors.Is(err, replhub.ErrUnavailable) || errors.Is(err, replhub.ErrUnknownOutcome) {
			return err
		}
		return nil
	})
	p, err := patient.PublishAsync(t.Context(), user("b", 2))
	if err != nil {
		t.Fatal(err)
	}
	l.server.Start()
	if _, err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if msgs := l.stored(s); string(msgs[len(msgs)-1].Data) != "2" {
		t.Errorf("stored last: %s", msgs[len(msgs)-1].Data)
	}
}

func TestPublishSurvivesRestartsOfTheServer(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client(func(c *replhub.Config) { c.Timeout = time.Second })
	const keys, each = 8, 200
	done := make(chan error, keys)
	for k := range keys {
		go func() {
			for n := range each {
				if _, err := c.Publish(context.WithoutCancel(t.Context()), user(fmt.Sprint("k", k), n)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 3 {
		l.server.Stop()
		l.server.Start()
	}
	for range keys {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := count("stored", ascending(t, l.stored(s)), keys*each); err != nil {
		t.Error(err)
	}
}

func TestPublishThatTheServerDenies(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"db.>"}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	l := &lab{t: t, url: strings.Replace(srv.ClientURL(), "nats://", "nats://u:p@", 1)}
	l.openIngest()
	_, err = l.client(hasty).Publish(t.Context(), user("42", 1))
	wants(t, err, replhub.ErrDenied)
	wantsNot(t, err, replhub.ErrUnknownOutcome)
}
