package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
)

func batchable(cfg *jetstream.StreamConfig) { cfg.AllowBatchPublish = true }

// someUsers are n events of several keys, whose payloads count up by key.
func someUsers(n, keys int) []replhub.Event {
	var events []replhub.Event
	for i := range n {
		events = append(events, user(fmt.Sprint("k", i%keys), i))
	}
	return events
}

// All events are stored in their order, with far fewer answers than events.
func TestPublishAll(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client()
	nc, err := nats.Connect(l.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var answers atomic.Int64
	if _, err := nc.Subscribe("_INBOX.>", func(*nats.Msg) { answers.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	events := someUsers(2000, 50)
	acks, err := c.PublishAll(t.Context(), events)
	if err != nil || len(acks) != len(events) {
		t.Fatalf("got %d, %v", len(acks), err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := answers.Load(); n > 100 {
		t.Errorf("%d answers to %d events", n, len(events))
	}
	for i, m := range l.stored(s) {
		if id := m.Header.Get("Nats-Msg-Id"); id == "" || id != events[i].ID || string(m.Data) != string(events[i].Data) {
			t.Fatalf("event %d is %q %s, want %q %s", i, id, m.Data, events[i].ID, events[i].Data)
		}
	}
}

// What is stored already stays one event, wherever in a batch it stands.
func TestPublishAllKnowsWhatIsStored(t *testing.T) {
	for name, before := range map[string]func([]replhub.Event) []replhub.Event{
		"the first":  func(all []replhub.Event) []replhub.Event { return all[:1] },
		"a prefix":   func(all []replhub.Event) []replhub.Event { return all[:30] },
		"the middle": func(all []replhub.Event) []replhub.Event { return all[20:40] },
		"the last":   func(all []replhub.Event) []replhub.Event { return all[len(all)-1:] },
		"all":        func(all []replhub.Event) []replhub.Event { return all },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			s := l.openIngest()
			c := l.client()
			events := someUsers(100, 100) // one of each key: an old one may come first
			for i := range events {
				events[i].ID = fmt.Sprint("id-", i)
			}
			if _, err := c.PublishBatch(t.Context(), before(events)); err != nil {
				t.Fatal(err)
			}
			acks, err := c.PublishAll(t.Context(), events)
			if err != nil || len(acks) != len(events) {
				t.Fatalf("got %d, %v", len(acks), err)
			}
			if err := count("stored", ascending(t, l.stored(s)), len(events)); err != nil {
				t.Error(err)
			}
			if name == "a prefix" && (!acks[0].Duplicate || !acks[29].Duplicate || acks[30].Duplicate) {
				t.Error("the duplicates are not told")
			}
		})
	}
	t.Run("twice in a batch", func(t *testing.T) {
		l := newLab(t)
		s := l.openIngest()
		events := someUsers(40, 40)
		events[20].ID, events[30].ID = "same", "same"
		if acks, err := l.client().PublishAll(t.Context(), events); err != nil || len(acks) != len(events) {
			t.Fatalf("got %d, %v", len(acks), err)
		}
		if err := count("stored", len(l.stored(s)), len(events)-1); err != nil {
			t.Error(err)
		}
	})
}

// A refused event ends the batch: those before it are stored, and the error is
// its own.
func TestPublishAllEndsAtARefusal(t *testing.T) {
	for name, bad := range map[string]struct {
		event replhub.Event
		is    error
	}{
		"by the client":     {replhub.Event{Entity: "user", Op: "rename", Key: "k5"}, replhub.ErrInvalidEvent},
		"by the connection": {replhub.Event{Entity: "user", Op: replhub.Update, Key: "k5", Data: make([]byte, 9000)}, replhub.ErrTooLarge},
		"by the stream":     {replhub.Event{Entity: "user", Op: replhub.Update, Key: "k5", Data: make([]byte, 5000)}, replhub.ErrTooLarge},
	} {
		for _, at := range []int{0, 1, 50, 99} {
			t.Run(fmt.Sprint(name, " at ", at), func(t *testing.T) {
				l := newLab(t, func(cfg *embedded.Config) { cfg.MaxPayload = 8192 })
				s := l.ingestLike(func(cfg *jetstream.StreamConfig) { batchable(cfg); cfg.MaxMsgSize = 4096 })
				c := l.client()
				events := someUsers(100, 10)
				events[at].Op, events[at].Data, events[at].Key = bad.event.Op, bad.event.Data, bad.event.Key
				acks, err := c.PublishAll(t.Context(), events)
				wants(t, err, bad.is)
				if err := count("acknowledged", len(acks), at); err != nil {
					t.Error(err)
				}
				if failed, ok := errors.AsType[*replhub.PublishError](err); !ok || failed.ID != events[at].ID {
					t.Errorf("error %v is not that of event %d", err, at)
				}
				for _, m := range l.stored(s) {
					if n, _ := strconv.Atoi(string(m.Data)); m.Header.Get("Replhub-Key") == "k5" && n > at {
						t.Errorf("a %s of the refused event's key was stored", m.Data)
					}
				}
				events[at].Op, events[at].Data = replhub.Update, []byte(fmt.Sprint(at))
				if acks, err := c.PublishAll(t.Context(), events[at:]); err != nil || len(acks) != len(events)-at {
					t.Fatalf("got %d, %v", len(acks), err)
				}
				if err := count("stored", len(l.stored(s)), len(events)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Where the stream takes no batches, each event is acknowledged.
func TestPublishAllWithoutBatches(t *testing.T) {
	l := newLab(t)
	s := l.ingestLike(func(*jetstream.StreamConfig) {})
	c := l.client()
	for range 2 {
		acks, err := c.PublishAll(t.Context(), someUsers(100, 10))
		if err != nil || len(acks) != 100 || acks[0].Seq == 0 {
			t.Fatalf("got %d, %v", len(acks), err)
		}
	}
	if err := count("stored", len(l.stored(s)), 200); err != nil {
		t.Error(err)
	}
}

func TestPublishAllIntoAFullIngest(t *testing.T) {
	l := newLab(t)
	s := l.ingestLike(func(cfg *jetstream.StreamConfig) { batchable(cfg); cfg.MaxMsgs = 30 })
	acks, err := l.client().PublishAll(t.Context(), someUsers(100, 10))
	wants(t, err, replhub.ErrIngestFull)
	wantsNot(t, err, replhub.ErrUnknownOutcome)
	if len(acks) != 30 {
		t.Errorf("%d acknowledged", len(acks))
	}
	if err := count("stored", len(l.stored(s)), 30); err != nil {
		t.Error(err)
	}
}

func TestPublishAllWithoutAHub(t *testing.T) {
	l := newLab(t)
	c := l.client(hasty)
	_, err := c.PublishAll(t.Context(), someUsers(20, 10))
	wants(t, err, replhub.ErrNoHub)
	if _, err := l.js().CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"db.>"}, AllowBatchPublish: true}); err != nil {
		t.Fatal(err)
	}
	acks, err := c.PublishAll(t.Context(), someUsers(20, 10))
	wants(t, err, replhub.ErrNoHub)
	if len(acks) != 0 || !strings.Contains(err.Error(), "OTHER") {
		t.Errorf("%d acknowledged, %v", len(acks), err)
	}
}

func TestPublishAllSurvivesRestartsOfTheServer(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client(func(c *replhub.Config) { c.Timeout = time.Second })
	events := someUsers(20_000, 100)
	done := make(chan error, 1)
	go func() {
		var err error
		for rest := events; len(rest) > 0 && err == nil; {
			part := rest[:min(1000, len(rest))]
			_, err = c.PublishAll(context.WithoutCancel(t.Context()), part)
			rest = rest[len(part):]
		}
		done <- err
	}()
	for _, n := range []uint64{1500, 5500} {
		l.eventually("a part of the events", func() error {
			info, err := s.Info(t.Context())
			if err == nil && info.State.LastSeq < n {
				err = fmt.Errorf("%d so far", info.State.LastSeq)
			}
			return err
		})
		l.server.Stop()
		l.server.Start()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := count("stored", ascending(t, l.stored(s)), len(events)); err != nil {
		t.Error(err)
	}
}
