package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

func (w *world) users(from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
	}
}

// trimmedTo waits until a lane is trimmed up to a sequence.
func (w *world) trimmedTo(service string, seq uint64) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("lane %s trimmed to %d", service, seq), func() error {
		s, err := w.js.Stream(w.t.Context(), "SUB_"+service)
		if err != nil {
			return err
		}
		if first := s.CachedInfo().State.FirstSeq; first < seq {
			return fmt.Errorf("it begins at %d", first)
		}
		return nil
	})
}

// trimming trims as soon as nobody needs a copy.
func trimming(cfg *hub.Config) { cfg.TrimEvery, cfg.History = 20*time.Millisecond, time.Nanosecond }

func TestPoisonEventHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	w.startHub(trimming)
	w.register("sharing", `{"entities":["user"],"queue":{"max_deliver":3}}`)
	w.users(0, 5)
	if done := w.work("sharing", "workers", poison("2")); strings.Join(done, "") != "0134" {
		t.Errorf("the others: %v", done)
	}
	letter := w.letters(1)[0]
	for name, want := range map[string]string{
		contract.HeaderReason: contract.ReasonMaxDeliver, contract.HeaderAttempts: "3", contract.HeaderKey: "2", contract.HeaderPosition: "1-3",
	} {
		if got := letter.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	w.trimmedTo("sharing", 6)
	w.users(5, 6)
	if done := w.work("sharing", "workers", well); strings.Join(done, "") != "5" {
		t.Errorf("afterwards: %v", done)
	}
}

// The hub is away while deliveries fail: their advisories wait, or are lost.
func TestFailuresWhileTheHubIsAway(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("advisories lost %t", lost), func(t *testing.T) {
			w := newWorld(t)
			stop := w.startHub()
			w.register("sharing", `{"entities":["user"],"queue":{"max_deliver":2}}`)
			w.users(0, 6)
			w.copies("sharing", 6)
			stop()
			if lost {
				if err := w.js.DeleteStream(t.Context(), contract.StreamAdvisories); err != nil {
					t.Fatal(err)
				}
			}
			w.work("sharing", "workers", poison("1", "5"))
			w.startHub(trimming)
			w.startHub(trimming) // two do not write it twice
			for i, m := range w.letters(2) {
				if key := m.Header.Get(contract.HeaderKey); key != []string{"1", "5"}[i] {
					t.Errorf("dead letter %d is of %s", i, key)
				}
			}
			w.trimmedTo("sharing", 7)
			w.letters(2)
		})
	}
}

// Full dead letters stall: what failed stays in its lane, however full history
// is, until there is room.
func TestFullDeadLettersHoldTheLane(t *testing.T) {
	w := newWorld(t)
	w.startHub(trimming, func(cfg *hub.Config) { cfg.DLQMaxBytes = 1 << 20 })
	w.register("sharing", `{"entities":["user"],"queue":{"max_deliver":2}}`)
	w.register("zebra", `{"entities":["user"]}`)
	filler := &nats.Msg{Subject: "dlq.other.user.update", Data: make([]byte, 1<<20-1000)}
	if _, err := w.js.PublishMsg(t.Context(), filler); err != nil {
		t.Fatal(err)
	}
	if _, err := w.js.PublishMsg(t.Context(), &nats.Msg{Subject: "dlq.other.user.update", Data: make([]byte, 700)}); err != nil {
		t.Fatal(err)
	}
	w.users(0, 4)
	w.copies("sharing", 4)
	w.work("sharing", "workers", poison("1"))
	w.eventually("an advisory that waits", func() error {
		s, err := w.js.Stream(t.Context(), contract.StreamAdvisories)
		if err == nil && s.CachedInfo().State.Msgs != 1 {
			err = fmt.Errorf("%d", s.CachedInfo().State.Msgs)
		}
		return err
	})
	w.users(4, 6)
	w.work("sharing", "workers", well)
	// Lanes are trimmed in the order of their names.
	w.work("zebra", "workers", well)
	w.trimmedTo("zebra", 7)
	s, err := w.js.Stream(t.Context(), "SUB_sharing")
	if err != nil {
		t.Fatal(err)
	}
	if first := s.CachedInfo().State.FirstSeq; first > 3 {
		t.Errorf("the lane begins at %d: the copy without a letter is gone", first)
	}
	dlq, err := w.js.Stream(t.Context(), contract.StreamDLQ)
	if err != nil {
		t.Fatal(err)
	}
	if err := dlq.Purge(t.Context(), jetstream.WithPurgeSubject("dlq.other.>")); err != nil {
		t.Fatal(err)
	}
	w.letters(1)
	w.trimmedTo("sharing", 7)
}
