package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
)

func TestBatchAcknowledgesEachEventInItsPlace(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client(func(c *replhub.Config) { c.MaxPending = 16 })
	var events []replhub.Event
	for i := range 500 {
		events = append(events, user(fmt.Sprint("k", i%50), i))
	}
	acks, err := c.PublishBatch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	msgs := l.stored(s)
	if err := count("stored", ascending(t, msgs), len(events)); err != nil {
		t.Error(err)
	}
	for i, ack := range acks {
		if m := msgs[ack.Seq-1]; string(m.Data) != string(events[i].Data) || m.Header.Get("Nats-Msg-Id") != events[i].ID {
			t.Fatalf("event %d was acknowledged as %d, which is %s", i, ack.Seq, m.Data)
		}
	}
}

func TestBatchOfNothing(t *testing.T) {
	l := newLab(t)
	if acks, err := l.client().PublishBatch(t.Context(), nil); len(acks) != 0 || err != nil {
		t.Errorf("got %v, %v", acks, err)
	}
}

// What follows a failed event of its key waits for the caller's next try.
func TestBatchHoldsWhatFollowsAFailure(t *testing.T) {
	for name, bad := range map[string]replhub.Event{
		"refused by the client": {Entity: "user", Op: "rename", Key: "a"},
		"refused by the server": {Entity: "user", Op: replhub.Update, Key: "a", Data: make([]byte, 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(cfg *embedded.Config) { cfg.MaxPayload = 4096 })
			s := l.openIngest()
			c := l.client()
			events := []replhub.Event{user("a", 1), user("b", 1), bad, user("a", 3), user("b", 3), user("a", 4)}
			acks, err := c.PublishBatch(t.Context(), events)
			if err == nil {
				t.Fatal("no error")
			}
			if err := count("acknowledged", len(acks), 2); err != nil {
				t.Error(err)
			}
			if failed, ok := errors.AsType[*replhub.PublishError](err); !ok || failed.ID != events[2].ID {
				t.Errorf("error %v is not that of the third event", err)
			}
			for _, m := range l.stored(s) {
				if m.Header.Get("Replhub-Key") == "a" && string(m.Data) != "1" {
					t.Errorf("a %s was stored before its turn", m.Data)
				}
			}
			rest := events[len(acks):]
			rest[0].Op, rest[0].Data = replhub.Update, []byte("2")
			if acks, err = c.PublishBatch(t.Context(), rest); err != nil || len(acks) != len(rest) {
				t.Fatalf("got %d, %v", len(acks), err)
			}
			if err := count("stored", ascending(t, l.stored(s)), len(events)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBatchOfUnknownOutcomeSaysSo(t *testing.T) {
	l := newLab(t)
	s := l.ingestLike(func(cfg *jetstream.StreamConfig) { cfg.NoAck = true })
	c := l.client(hasty)
	events := []replhub.Event{user("a", 1), user("b", 1), user("a", 2)}
	acks, err := c.PublishBatch(t.Context(), events)
	wants(t, err, replhub.ErrUnknownOutcome)
	if len(acks) != 0 {
		t.Errorf("acknowledged %v", acks)
	}
	l.ingestLike(func(*jetstream.StreamConfig) {})
	if acks, err = c.PublishBatch(t.Context(), events); err != nil || len(acks) != 3 {
		t.Fatalf("got %v, %v", acks, err)
	}
	if err := count("stored", ascending(t, l.stored(s)), 3); err != nil {
		t.Error(err)
	}
}

func TestBatchSurvivesRestartsOfTheServer(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client(func(c *replhub.Config) { c.Timeout = time.Second })
	var events []replhub.Event
	for i := range 6000 {
		events = append(events, user(fmt.Sprint("k", i%100), i))
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.PublishBatch(context.WithoutCancel(t.Context()), events)
		done <- err
	}()
	l.eventually("a part of the batch", func() error {
		info, err := s.Info(t.Context())
		if err == nil && info.State.LastSeq < 200 {
			err = fmt.Errorf("%d so far", info.State.LastSeq)
		}
		return err
	})
	l.server.Stop()
	l.server.Start()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := count("stored", ascending(t, l.stored(s)), len(events)); err != nil {
		t.Error(err)
	}
}

// All of them are sent again when the server is back: only their turns keep the
// order, which here is that of the payload's own key.
func TestOrderOfAKeyHoldsThroughRetries(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client()
	l.server.Stop()
	var pending []*replhub.Pending
	for n := range 50 {
		p, err := c.PublishAsync(t.Context(), replhub.Event{
			Entity: "user", Op: replhub.Update, Data: fmt.Appendf(nil, `{"id":7,"n":%d}`, n),
		})
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	l.server.Start()
	for _, p := range pending {
		if _, err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for n, m := range l.stored(s) {
		if want := fmt.Sprintf(`{"id":7,"n":%d}`, n); string(m.Data) != want {
			t.Errorf("stored %s, want %s", m.Data, want)
		}
	}
}
