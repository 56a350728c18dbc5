package hub_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

func TestChangedDefinitionBindsEveryWriter(t *testing.T) {
	w := newWorld(t)
	for i := range 2 {
		w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, fmt.Sprintf("rival-%d", i) })
	}
	w.register("s", `{"entities":["user"]}`)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.publishAll(t.Context(), "user", 3000); err != nil {
			t.Error(err)
		}
	})
	// From the reply's sequence on, only even ones.
	reply := w.register("s", `{"interests":[{"entity":"user","filter":"data.n % 2 == 0","fields":["n"]}]}`)
	wg.Wait()
	last := w.publish("db.user.update", `{"id":"end","n":1000000}`)
	w.eventually("the last event", func() error {
		copies, err := w.read(w.stream("SUB_s"))
		if err != nil {
			return err
		}
		if n := len(copies); n == 0 || copies[n-1].Header.Get("Replhub-Position") != fmt.Sprintf("1-%d", last) {
			return fmt.Errorf("%d copies", n)
		}
		return nil
	})
	copies, err := w.read(w.stream("SUB_s"))
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	for _, m := range copies {
		seq, err := seqOf(m)
		if err != nil {
			t.Fatal(err)
		}
		if seq < reply.Seq {
			before++
			continue
		}
		var n int
		if _, err := fmt.Sscanf(string(m.Data), `{"n":%d}`, &n); err != nil || n%2 != 0 {
			t.Fatalf("event %d was copied as %s behind the change at %d", seq, m.Data, reply.Seq)
		}
	}
	if want := int(reply.Seq) - 1; before != want {
		t.Errorf("%d copies before the change, want %d", before, want)
	}
}

func TestUnfilterableEventIsADeadLetterForThatServiceAlone(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("picky", `{"interests":[{"entity":"user","filter":"data.tenant == 'acme'"}]}`)
	w.register("plain", `{"entities":["user"]}`)
	w.publish("db.user.create", `{"id":"1","tenant":"acme"}`)
	poison := w.publish("db.user.create", `not json`)
	w.publish("db.user.create", `{"id":"2"}`)
	w.publish("db.user.delete", `{"id":"3"}`)
	w.copies("plain", 4)
	w.copies("picky", 2) // the first and the delete
	dlq := w.stream(contract.StreamDLQ)
	for i, want := range []struct{ reason, seq string }{{contract.ReasonNotJSON, fmt.Sprint(poison)}, {contract.ReasonFilter, fmt.Sprint(poison + 1)}} {
		m, err := dlq.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get(contract.HeaderReason) != want.reason || sequence(m.Header) != want.seq || m.Subject != "dlq.picky.user.create" {
			t.Errorf("dead letter %d on %s: %v", i, m.Subject, m.Header)
		}
		if len(m.Data) != 0 {
			t.Errorf("dead letter %d shows the service %s", i, m.Data)
		}
	}
	var explained contract.Explained
	if err := w.call("replhub.explain.picky", fmt.Sprintf(`{"seq":%d}`, poison), &explained); err != nil {
		t.Fatal(err)
	}
	if explained.Verdict != contract.VerdictDeadLettered {
		t.Errorf("explained as %+v", explained)
	}
}

func TestOwnEventsAreNotEchoed(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("a", `{"entities":["user"]}`)
	w.register("b", `{"interests":[{"entity":"user","echo":true}]}`)
	w.publish("db.user.create", `{"id":"1"}`, contract.HeaderOrigin, "a")
	w.publish("db.user.create", `{"id":"2"}`, contract.HeaderOrigin, "b")
	w.copies("b", 2)
	if m := w.copies("a", 1)[0]; m.Header.Get(contract.HeaderKey) != "2" {
		t.Errorf("a got %v", m.Header)
	}
}

func TestForeignMessageAndPurgeByHand(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	if err := w.publishAll(t.Context(), "user", 10); err != nil {
		t.Fatal(err)
	}
	w.copies("s", 10)
	if _, err := w.js.Publish(t.Context(), "sub.s.user.create.0", []byte("forged")); err != nil {
		t.Fatal(err)
	}
	w.publish("db.user.update", `{"id":"a"}`)
	w.copies("s", 12)
	stop()
	if _, err := w.js.Publish(t.Context(), "sub.s.user.create.0", []byte("forged")); err != nil {
		t.Fatal(err)
	}
	w.publish("db.user.update", `{"id":"b"}`)
	stop = w.startHub(func(c *hub.Config) { c.TrimEvery = 50_000_000 })
	copies := w.copies("s", 14)
	if got := sequence(copies[13].Header); got != "12" {
		t.Errorf("behind the foreign message comes event %s, want 12", got)
	}

	// Purged by hand while the hub runs: it writes its state down again.
	if err := w.stream("SUB_s").Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.eventually("a new state record", func() error {
		_, err := w.stream("SUB_s").GetLastMsgForSubject(t.Context(), "sub.s._state")
		return err
	})
	w.publish("db.user.update", `{"id":"c"}`)
	w.copies("s", 1)
	stop()

	// While none runs, where the lane stood is lost: detached, not guessed.
	if err := w.stream("SUB_s").Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.startHub()
	w.eventually("the lane to be detached", func() error {
		var status contract.LaneStatus
		if err := w.call("replhub.describe.s", "", &status); err != nil {
			return err
		}
		if status.State != contract.LaneDetached {
			return fmt.Errorf("state %s", status.State)
		}
		return nil
	})
	w.register("s", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.copies("s", 13)
}

func TestFullLaneStallsAloneAndGoesOn(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("full", `{"entities":["user"],"max_bytes":100000}`)
	w.register("other", `{"entities":["user"]}`)
	const events = 2000
	if err := w.publishAll(t.Context(), "user", events); err != nil {
		t.Fatal(err)
	}
	w.copies("other", events)
	w.eventually("the full lane to stall", func() error {
		var status contract.LaneStatus
		if err := w.call("replhub.describe.full", "", &status); err != nil {
			return err
		}
		if status.State != contract.LaneStalled || status.Reason == "" || status.Bytes > 200_000 {
			return fmt.Errorf("state %s with %d bytes", status.State, status.Bytes)
		}
		return nil
	})
	var got []jetstream.Msg
	for len(got) < events {
		got = append(got, w.consume("full", "workers", 20)...)
	}
	for i, m := range got {
		if sequence(m.Headers()) != fmt.Sprint(i+1) {
			t.Fatalf("copy %d is event %s", i, sequence(m.Headers()))
		}
	}
}

// A lane that cannot go on asks the server now and then, whatever else is
// published: its patience is not the other lanes' traffic.
func TestFullLaneIsPatientUnderTraffic(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	w.register("full", `{"entities":["user"],"max_bytes":65536}`)
	w.register("other", `{"entities":["user"]}`)
	events := 1000
	if err := w.publishAll(t.Context(), "user", events); err != nil {
		t.Fatal(err)
	}
	retries := func() float64 { return o.metrics()[`replhub_lane_retries_total{service="full"}`] }
	w.eventually("the full lane to stall", func() error {
		if retries() == 0 {
			return errors.New("it goes on")
		}
		return nil
	})
	before, began := retries(), time.Now()
	for time.Since(began) < 3*time.Second {
		w.publish("db.user.update", `{"id":"1"}`)
		events++
	}
	// The wait is twice as long after each attempt, up to a second.
	if n, most := retries()-before, 8+time.Since(began).Seconds(); n > most {
		t.Errorf("%v attempts within %s, want at most %v", n, time.Since(began), most)
	}
	w.copies("other", events)
}

// Somebody who may not publish events can still name an ingest subject as the
// reply subject of a request to the server.
func TestAnswersOfTheServerAreNoEvents(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["payment"]}`)
	for _, request := range []string{"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.DB"} {
		if err := w.nc.PublishRequest(request, "db.payment.create", nil); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("the answers to be in ingest", func() error {
		if n := w.stream(contract.StreamIngest).CachedInfo().State.Msgs; n < 3 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	genuine := w.publish("db.payment.create", `{"id":"1"}`)
	if m := w.copies("s", 1)[0]; sequence(m.Header) != fmt.Sprint(genuine) {
		t.Errorf("got event %s: %s", sequence(m.Header), m.Data)
	}
}
