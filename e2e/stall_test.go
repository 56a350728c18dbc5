package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// caughtUp waits until lanes have reached the end of ingest.
func caughtUp(w *harness.World, services ...string) {
	for _, service := range services {
		w.Eventually(service+" to flow", settleWithin, func() error {
			if s := w.Describe(service); s.Lag > 0 || s.State != contract.LaneLive {
				return fmt.Errorf("%s, %d behind: %s", s.State, s.Lag, s.Reason)
			}
			return nil
		})
	}
}

// TestTroubledLanes has a full lane, a paused one and one without workers
// beside one that is worked: the others do not notice, and each recovers.
func TestTroubledLanes(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 51})
	hub := w.StartHub("h1")
	w.MustCall("replhub.register.full", `{"entities":["user"],"max_bytes":65536}`, nil)
	w.Register("full", want("user"))
	w.Register("worked", want("user"), want("tenant"))
	w.Register("paused", want("user"))
	w.Register("idle", want("tenant"))
	var paused contract.Paused
	w.MustCall("replhub.pause.paused", `{"for":"1h"}`, &paused)
	if paused.PausedUntil == nil || time.Until(*paused.PausedUntil) < 59*time.Minute {
		t.Errorf("paused %+v", paused)
	}
	stop := w.Record("SUB_full")
	worked, held := w.Work("worked", "workers"), w.Work("paused", "workers")
	w.Publish(harness.Load{Pad: 200}, 1500)
	full := w.AwaitState("full", contract.LaneStalled, settleWithin)
	if !strings.Contains(full.Reason, "full") || full.Bytes > 65536+16<<10 {
		t.Errorf("full lane: %d bytes, reason %q", full.Bytes, full.Reason)
	}
	caughtUp(w, "worked", "paused", "idle")
	due := copiesOf(w.Lane("worked"))
	w.Eventually("the worked lane to be handled", settleWithin, func() error {
		if worked.Handled() < due {
			return fmt.Errorf("%d of %d", worked.Handled(), due)
		}
		return nil
	})
	if got := held.Handled(); got != 0 {
		t.Errorf("paused workers handled %d", got)
	}
	if s := w.Describe("paused"); s.Backlog == 0 || len(s.Workers) != 1 || s.Workers[0].PausedUntil == nil {
		t.Errorf("paused lane: %+v", s)
	}
	hub.Kill() // a stalled lane is found again as it was
	hub.Start()
	w.AwaitState("full", contract.LaneStalled, settleWithin)
	w.MustCall("replhub.resume.paused", "", nil)
	w.Work("full", "workers")
	w.Eventually("the resumed lane to be handled", settleWithin, func() error {
		if want := copiesOf(w.Lane("paused")); held.Handled() < want {
			return fmt.Errorf("%d of %d", held.Handled(), want)
		}
		return nil
	})
	caughtUp(w, "full")
	stop()
	w.Finish("troubled lanes", 4, settleWithin)
}

// TestDetachedLane fills ingest by a lane that takes nothing: it is detached,
// publishers go on, the other lanes miss nothing, and the service has to say
// how to start again.
func TestDetachedLane(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 52, Env: []string{
		"INGEST_MAX_BYTES=2097152", "HISTORY=200ms", "TRIM_GUARD=200ms", "DEDUPE_WINDOW=200ms", "TRIM_EVERY=100ms",
	}})
	w.StartHub("h1")
	w.MustCall("replhub.register.dead", `{"entities":["user"],"max_bytes":65536}`, nil)
	w.Register("worked", want("user"), want("tenant"))
	w.Work("worked", "workers")
	stop := w.Record("DB", "SUB_worked")
	writers := w.Write(harness.Load{Pad: 300, Every: time.Millisecond}, 0)
	dead := w.AwaitState("dead", contract.LaneDetached, settleWithin)
	if !strings.Contains(dead.Reason, "ingest") {
		t.Errorf("reason %q", dead.Reason)
	}
	w.AwaitAcked(3000, settleWithin) // publishers are not stopped
	if got := w.Status().Degraded; !strings.Contains(strings.Join(got, "\n"), "dead detached") {
		t.Errorf("degraded %q", got)
	}
	w.Refused("replhub.register.dead", `{"entities":["user"]}`, contract.CodeDetached, "interests")
	w.MustCall("replhub.register.dead", `{"interests":[{"entity":"tenant","start":"new"}],"max_bytes":1073741824}`, nil)
	w.Work("dead", "workers")
	w.AwaitAcked(100, settleWithin)
	caughtUp(w, "dead")
	writers.Stop()
	stop()
	w.Finish("detached lane", 1, settleWithin)
}

// TestForeignMessage publishes into a lane by hand, with and without what looks
// like the hub's headers, while the hub runs and while it does not.
func TestForeignMessage(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 53})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"))
	w.Register("other", want("user"), want("tenant"))
	writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
	foreign := 0
	intrude := func() {
		w.AwaitAcked(100, settleWithin)
		for _, subject := range []string{"sub.plain.user.update.0", "sub.plain.nonsense", "sub.plain.user.create.0"} {
			ack, err := w.JS.Publish(t.Context(), subject, []byte(`{"id":"foreign"}`))
			if err != nil {
				t.Fatal(err)
			}
			w.Foreign("plain", ack.Sequence)
			foreign++
		}
	}
	intrude()
	hub.Kill()
	intrude()
	hub.Start()
	intrude()
	w.AwaitAcked(100, settleWithin)
	writers.Stop()
	w.Finish("foreign message", foreign, settleWithin)
	if log := hub.Log(); !strings.Contains(log, "foreign") {
		t.Error("the hub did not say a word of it")
	}
}

// TestPurgedLane purges lanes by hand: of its copies, which a lane goes on from
// as if nothing had been, and of everything, which stops that lane alone once
// its hub is started again.
func TestPurgedLane(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 54})
	hub := w.StartHub("h1")
	w.Register("copies", want("user"))
	w.Register("other", want("user"), want("tenant"))
	w.MustCall("replhub.register.everything", `{"entities":["user"]}`, nil)
	w.Publish(harness.Load{}, 300)
	settled(w, "purged lane")
	purge(t, w, "SUB_copies", jetstream.WithPurgeSubject("sub.copies.user.>"))
	purge(t, w, "SUB_everything")
	w.Publish(harness.Load{}, 300)
	settled(w, "purged lane")
	hub.Kill()
	w.Publish(harness.Load{}, 300)
	hub.Start()
	caughtUp(w, "copies", "other")
	if s := w.Describe("everything"); s.State == contract.LaneIncompatible && s.Reason == "" {
		t.Errorf("the lane without a state record: %+v", s)
	}
	w.Finish("purged lane", 2, settleWithin)
}

func purge(t *testing.T, w *harness.World, stream string, options ...jetstream.StreamPurgeOpt) {
	t.Helper()
	s, err := w.JS.Stream(t.Context(), stream)
	if err == nil {
		err = s.Purge(t.Context(), options...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRewind has workers start again from a sequence and from a time.
func TestRewind(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 55})
	w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.RegisterQueue("ordered", &contract.Queue{Order: "key", Partitions: 3}, want("user"))
	w.Publish(harness.Load{}, 300)
	settled(w, "rewind")
	handled := func(service string, consumers ...string) {
		t.Helper()
		workers := w.Work(service, consumers...)
		w.Eventually(service+" to be handled", settleWithin, func() error {
			if s := w.Describe(service); s.Backlog > 0 {
				return fmt.Errorf("%d left", s.Backlog)
			}
			return nil
		})
		workers.Stop()
	}
	consumers := map[string][]string{"plain": {"workers"}, "ordered": {"workers-0", "workers-1", "workers-2"}}
	for _, service := range []string{"plain", "ordered"} {
		handled(service, consumers[service]...)
		var all, half contract.Rewound
		w.MustCall("replhub.rewind."+service, `{"to":1}`, &all)
		if got := copiesOf(w.Lane(service)); all.Redelivered != uint64(got) {
			t.Errorf("%s: from the beginning %d again, want %d", service, all.Redelivered, got)
		}
		handled(service, consumers[service]...) // a rewind goes back from what was handled
		at := w.Events(1)[150]
		w.MustCall("replhub.rewind."+service, fmt.Sprintf(`{"to":%q}`, at.Time.Format(time.RFC3339Nano)), &half)
		want := 0
		for _, m := range w.Lane(service) {
			var seq uint64
			if at := m.Header["Replhub-Position"]; at == nil {
				continue
			} else if _, err := fmt.Sscanf(at[0], "1-%d", &seq); err != nil {
				t.Fatal(err)
			}
			if seq >= 151 {
				want++
			}
		}
		if half.Redelivered != uint64(want) || half.Seq < 151 {
			t.Errorf("%s: from the middle %+v, want %d again", service, half, want)
		}
		// Forwards, over what nobody has handled.
		w.Refused("replhub.rewind."+service, `{"to":300000}`, contract.CodeInvalidValue, "to")
		w.Refused("replhub.rewind."+service, `{"to":300}`, contract.CodeInvalidValue, "to")
		w.Refused("replhub.rewind."+service, `{"to":"yesterday"}`, contract.CodeInvalidValue, "to")
		w.MustCall("replhub.rewind."+service, `{"to":1}`, nil)
	}
	handled("plain", "workers")
	handled("ordered", "workers-0", "workers-1", "workers-2")
	w.Finish("rewind", 0, settleWithin)
}

// TestTrimUnderLoad trims ingest and lanes all the time, under load, with
// workers of both orders and partitions that get nothing.
func TestTrimUnderLoad(t *testing.T) {
	w := harness.New(t, harness.Options{
		Binary: binary, Seed: 56, Env: []string{"HISTORY=200ms", "TRIM_GUARD=200ms", "DEDUPE_WINDOW=200ms", "TRIM_EVERY=50ms"},
	})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.RegisterQueue("ordered", &contract.Queue{Order: "key", Partitions: 16}, want("user"))
	w.Register("slow", want("user")) // has workers in the end only
	stop := w.Record("DB", "SUB_plain", "SUB_ordered", "SUB_late")
	w.Work("plain", "workers")
	consumers := w.Describe("ordered").Workers
	var names []string
	for _, c := range consumers {
		names = append(names, c.Consumer)
	}
	w.Work("ordered", names...)
	writers := w.Write(harness.Load{Keys: 2, Every: time.Millisecond}, 0) // four keys, sixteen partitions
	for range 3 {
		w.AwaitAcked(500, settleWithin)
		reply := w.Register("late", from("all", want("user")))
		if reply.Since["user"] <= 1 || reply.Complete {
			t.Errorf("reply %+v, though ingest was trimmed", reply)
		}
		w.Refused("replhub.register.older", `{"interests":[{"entity":"user","start":1}]}`, contract.CodeTooOld, "interests[0].start")
		w.AwaitAcked(200, settleWithin)
		hub.Kill()
		hub.Start()
		w.Unregister("late")
	}
	w.Eventually("ingest and lanes to be trimmed", settleWithin, func() error {
		if s := w.Status().Ingest; s.FirstSeq < 500 {
			return fmt.Errorf("ingest begins at %d", s.FirstSeq)
		}
		for _, service := range []string{"plain", "ordered"} {
			if s := w.Describe(service); s.Messages > 1000 {
				return fmt.Errorf("%s holds %d messages", service, s.Messages)
			}
		}
		return nil
	})
	writers.Stop()
	caughtUp(w, "plain", "ordered", "slow")
	w.Work("slow", "workers")
	w.Eventually("the slow one to have handled everything", settleWithin, func() error {
		if n := w.Describe("slow").Backlog; n > 0 {
			return fmt.Errorf("%d left", n)
		}
		return nil
	})
	stop()
	w.Finish("trim under load", 3, settleWithin)
}
