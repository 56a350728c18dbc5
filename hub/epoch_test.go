package hub_test

import (
	"fmt"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

func TestIngestCreatedAgainBeginsAnEpoch(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	if err := w.publishAll(t.Context(), "user", 50); err != nil {
		t.Fatal(err)
	}
	w.copies("s", 50)
	if err := w.js.DeleteStream(t.Context(), contract.StreamIngest); err != nil {
		t.Fatal(err)
	}
	w.eventually("ingest to be made again", func() error {
		_, err := w.js.Stream(t.Context(), contract.StreamIngest)
		return err
	})
	for i := range 20 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"again-%d"}`, i))
	}
	copies := w.copies("s", 70)
	for i, m := range copies[50:] {
		if m.Header.Get("Replhub-Position") != fmt.Sprintf("2-%d", i+1) {
			t.Fatalf("copy %d behind the break has the position %s", i, m.Header.Get("Replhub-Position"))
		}
	}
	if reply := w.register("s", `{}`); reply.Epoch != 2 {
		t.Errorf("epoch %d in the reply, want 2", reply.Epoch)
	}
}

func TestIngestCreatedAgainWhileNoHubRuns(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	if err := w.publishAll(t.Context(), "user", 50); err != nil {
		t.Fatal(err)
	}
	w.copies("s", 50)
	stop()
	cfg := w.stream(contract.StreamIngest).CachedInfo().Config
	if err := w.js.DeleteStream(t.Context(), contract.StreamIngest); err != nil {
		t.Fatal(err)
	}
	if _, err := w.js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"again-%d"}`, i))
	}
	w.startHub()
	copies := w.copies("s", 110)
	if m := copies[50]; m.Header.Get("Replhub-Position") != "2-1" {
		t.Errorf("first copy behind the break is %v", m.Header)
	}
}

func TestTrimmedPastALaneDetachesIt(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("behind", `{"entities":["user"]}`)
	if err := w.publishAll(t.Context(), "user", 10); err != nil {
		t.Fatal(err)
	}
	w.copies("behind", 10)
	stop()
	if err := w.publishAll(t.Context(), "tenant", 20); err != nil {
		t.Fatal(err)
	}
	if err := w.stream(contract.StreamIngest).Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := w.observe(nil)
	var status contract.LaneStatus
	w.eventually("the lane to be detached", func() error {
		if err := w.call("replhub.describe.behind", "", &status); err != nil {
			return err
		}
		if status.State != contract.LaneDetached {
			return fmt.Errorf("state %s", status.State)
		}
		return nil
	})
	if label := `replhub_lane_trouble{reason="trimmed",service="behind",state="detached"}`; o.metrics()[label] != 1 {
		t.Errorf("no metric %s", label)
	}
	err := w.call("replhub.register.behind", `{"entities":["user"]}`, nil)
	if refusal := asRefusal(t, err); refusal.Code != contract.CodeDetached {
		t.Errorf("refused with %v", refusal)
	}
	reply := w.register("behind", `{"interests":[{"entity":"user","start":"new"}]}`)
	seq := w.publish("db.user.update", `{"id":"after"}`)
	if reply.Since["user"] != seq {
		t.Errorf("since %d, want %d", reply.Since["user"], seq)
	}
	w.copies("behind", 11)
}

func TestTrimKeepsWhatALaneNeeds(t *testing.T) {
	w := newWorld(t)
	trim := func(c *hub.Config) { c.History, c.TrimGuard, c.TrimEvery = 1, 1, 50_000_000 }
	w.startHub(trim)
	w.register("s", `{"entities":["user"]}`)
	if err := w.publishAll(t.Context(), "user", 100); err != nil {
		t.Fatal(err)
	}
	w.copies("s", 100)
	w.eventually("ingest to be trimmed to its last event", func() error {
		if n := w.stream(contract.StreamIngest).CachedInfo().State.Msgs; n != 1 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})
	if n := w.stream("SUB_s").CachedInfo().State.Msgs; n < 100 {
		t.Errorf("%d messages left in a lane that nobody has read", n)
	}
	w.consume("s", "workers", 100)
	w.eventually("the lane to be trimmed", func() error {
		if n := w.stream("SUB_s").CachedInfo().State.Msgs; n > 2 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})
	w.publish("db.user.update", `{"id":"x"}`)
	w.consume("s", "workers", 1)
}
