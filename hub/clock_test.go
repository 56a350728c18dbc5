package hub_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// wrongBy sets a hub's clock wrong.
func wrongBy(d time.Duration) func(*hub.Config) {
	return func(c *hub.Config) { c.Now = func() time.Time { return time.Now().Add(d) } }
}

// A start in the future, by the server's clock, is refused; it would be "now"
// in silence. The hub's clock has no say in it.
func TestStartInTheFutureIsRefused(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"right": 0, "ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.startHub(wrongBy(wrong))
			first := w.publish("db.user.create", `{"id":"1"}`)
			request := func(start string) string {
				return fmt.Sprintf(`{"interests":[{"entity":"tenant"},{"entity":"user","start":%q}]}`, start)
			}
			for _, start := range []string{
				time.Now().Add(30 * time.Minute).UTC().Format(time.RFC3339), time.Now().Add(5 * time.Second).UTC().Format(time.RFC3339Nano), "9999-12-31T23:59:59Z",
			} {
				refusal := asRefusal(t, w.call("replhub.register.s", request(start), nil))
				if refusal.Code != contract.CodeInvalidValue || refusal.Field != "interests[1].start" {
					t.Errorf("%s: %v", start, refusal)
				}
			}
			for _, start := range []string{"-5m", "0s", "5", "tomorrow"} {
				if refusal := asRefusal(t, w.call("replhub.register.s", request(start), nil)); refusal.Code != contract.CodeInvalidValue {
					t.Errorf("%s: %v", start, refusal)
				}
			}
			// What is past is past, said as a time or as how long ago.
			for i, start := range []string{time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339), "10m"} {
				if got := w.register(fmt.Sprintf("s%d", i), request(start)); got.Since["user"] != first {
					t.Errorf("%s: due from %d, want %d", start, got.Since["user"], first)
				}
			}
		})
	}
}

func TestPauseGoesByTheServersClock(t *testing.T) {
	w := newWorld(t)
	w.startHub(wrongBy(-time.Hour))
	w.register("s", `{"entities":["user"]}`)
	var paused contract.Paused
	if err := w.call("replhub.pause.s", `{"for":"1m"}`, &paused); err != nil {
		t.Fatal(err)
	}
	if paused.PausedUntil == nil || math.Abs(time.Until(*paused.PausedUntil).Seconds()-60) > 30 {
		t.Fatalf("paused until %v, now is %s", paused.PausedUntil, time.Now().UTC())
	}
	c, err := w.js.Consumer(t.Context(), "SUB_s", "workers")
	if err != nil || !c.CachedInfo().Paused {
		t.Fatalf("the consumer is not paused: %v", err)
	}
	// Never "paused" without a pause.
	if refusal := asRefusal(t, w.call("replhub.pause.s", `{"for":"1ns"}`, nil)); refusal.Code != contract.CodeInvalidValue || refusal.Field != "for" {
		t.Errorf("a pause that is over at once: %v", refusal)
	}
}

// History, guard, ages and records' times go by the server's clock as well.
func TestHubWithAWrongClockTrimsAndTells(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub(wrongBy(-time.Hour), func(c *hub.Config) {
		c.History, c.TrimGuard, c.TrimEvery = time.Millisecond, time.Millisecond, 20*time.Millisecond
	})
	w.register("s", `{"entities":["user"]}`)
	for range 10 {
		w.publish("db.user.create", `{"id":"1"}`)
	}
	w.consume("s", "workers", 10)
	w.eventually("lane and ingest to be trimmed", func() error {
		laneFirst, first := w.stream("SUB_s").CachedInfo().State.FirstSeq, w.stream("DB").CachedInfo().State.FirstSeq
		if laneFirst < 10 || first < 5 {
			return fmt.Errorf("lane from %d, ingest from %d on", laneFirst, first)
		}
		return nil
	})
	stop()

	w.startHub(wrongBy(time.Hour))
	w.publish("db.user.create", `{"id":"1"}`)
	w.eventually("a copy that waits", func() error {
		var status contract.LaneStatus
		if err := w.call("replhub.describe.s", "", &status); err != nil {
			return err
		}
		if status.Backlog != 1 {
			return fmt.Errorf("backlog %d", status.Backlog)
		}
		if status.OldestUnacked > 600 {
			t.Errorf("a copy just made is %.0f s old", status.OldestUnacked)
		}
		return nil
	})
	w.register("s", `{"entities":["tenant"]}`)
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	tip, err := lane.ReadTip(t.Context(), w.js, service)
	if err != nil || math.Abs(time.Since(tip.State.Written).Seconds()) > 600 {
		t.Errorf("the record was written at %s, %v", tip.State.Written, err)
	}
}

func TestRewindForwardsIsRefused(t *testing.T) {
	w := newWorld(t)
	w.startHub(wrongBy(time.Hour))
	w.register("s", `{"entities":["user"]}`)
	for i := range 20 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
	}
	w.copies("s", 20)
	refused := func(to string) {
		t.Helper()
		refusal := asRefusal(t, w.call("replhub.rewind.s", `{"to":`+to+`}`, nil))
		if refusal.Code != contract.CodeInvalidValue || refusal.Field != "to" {
			t.Errorf("a rewind to %s: %v", to, refusal)
		}
	}
	refused("15") // nobody has got the first one
	refused("22")
	refused(fmt.Sprintf("%q", time.Now().Add(30*time.Minute).UTC().Format(time.RFC3339)))
	refused(`"-5m"`)
	refused(`"0s"`)
	var all contract.Rewound
	if err := w.call("replhub.rewind.s", `{"to":1}`, &all); err != nil || all.Redelivered != 20 {
		t.Errorf("where they stand: %+v, %v", all, err)
	}
	w.consume("s", "workers", 20)
	// Everything is handled: from now on is no place ahead, and 5m is long ago.
	var none, again contract.Rewound
	if err := w.call("replhub.rewind.s", `{"to":21}`, &none); err != nil || none.Redelivered != 0 {
		t.Errorf("to the end: %+v, %v", none, err)
	}
	if err := w.call("replhub.rewind.s", `{"to":"5m"}`, &again); err != nil || again.Redelivered != 20 || again.Seq != 1 {
		t.Errorf("five minutes back: %+v, %v", again, err)
	}
	w.consume("s", "workers", 20)
}
