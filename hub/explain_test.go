package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

func (w *world) explained(service string, seq uint64) contract.Explained {
	w.t.Helper()
	var got contract.Explained
	if err := w.call("replhub.explain."+service, fmt.Sprintf(`{"seq":%d}`, seq), &got); err != nil {
		w.t.Fatal(err)
	}
	return got
}

// fetch has a worker get a copy.
func (w *world) fetch(service string) jetstream.Msg {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, "workers")
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := c.Next(jetstream.FetchMaxWait(20 * time.Second))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// explain tells an event's whole story: copied, waiting, delivered, acknowledged,
// dead letter n, redriven.
func TestExplainTellsTheWholeStory(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user","tenant"],"queue":{"max_deliver":1,"ack_wait":"300ms"}}`)
	w.publish("db.tenant.create", `{"id":"0"}`)
	seq := w.publish("db.user.create", `{"id":"1"}`)
	copied := w.copies("s", 2)
	tell := func(verdict, state, reason string) contract.Explained {
		t.Helper()
		got := w.explained("s", seq)
		if got.Verdict != verdict || got.Copy == nil || got.Copy.State != state || !strings.Contains(got.Reason, reason) || len(got.Unknown) > 0 {
			t.Fatalf("explained as %+v (copy %+v), want %s, %s, %q", got, got.Copy, verdict, state, reason)
		}
		return got
	}
	got := tell(contract.VerdictCopied, contract.CopyWaiting, "waits for a worker")
	if got.Copy.Seq != copied[1].Sequence || got.Copy.Consumer != "workers" || *got.Copy.Delivered != 0 {
		t.Errorf("%+v", got.Copy)
	}
	w.consume("s", "workers", 1)
	m := w.fetch("s")
	if got := tell(contract.VerdictCopied, contract.CopyDelivered, "with a worker"); *got.Copy.Delivered != 1 {
		t.Errorf("%+v", got.Copy)
	}
	_ = m // never acknowledged
	w.eventually("the dead letter", func() error {
		if got := w.explained("s", seq); len(got.Letters) != 1 {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	got = tell(contract.VerdictDeadLettered, contract.CopyGivenUp, "it is dead letter 1 (max_deliver: ")
	if l := got.Letters[0]; l.Seq != 1 || l.Reason != contract.ReasonMaxDeliver || l.Attempts != 1 || *got.Copy.Delivered != 1 {
		t.Errorf("%+v", got)
	}
	if err := w.call("replhub.redrive.s", `{"all":true}`, nil); err != nil {
		t.Fatal(err)
	}
	got = tell(contract.VerdictCopied, contract.CopyWaiting, "come back from the dead letters 1 time")
	if len(got.Letters) != 0 || !slices.Equal(got.Redriven, []uint64{got.Copy.Seq}) || got.Copy.Seq <= copied[1].Sequence {
		t.Errorf("%+v", got)
	}
	w.consume("s", "workers", 1)
	w.eventually("the acknowledgement", func() error {
		if got := w.explained("s", seq); got.Copy.State != contract.CopyAcknowledged {
			return fmt.Errorf("%+v", got.Copy)
		}
		return nil
	})
	tell(contract.VerdictCopied, contract.CopyAcknowledged, "is acknowledged")
	// A tale of another event is none of this one's.
	if other := w.explained("s", seq-1); len(other.Letters)+len(other.Redriven) != 0 || other.Copy.State != contract.CopyAcknowledged {
		t.Errorf("%+v", other)
	}
}

// The copy is found among those of a fill, and an epoch that never was is
// refused.
func TestExplainFindsCopiesOfAFill(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	for i := range 30 {
		w.publish([]string{"db.user.create", "db.tenant.create"}[i%2], fmt.Sprintf(`{"id":"%d"}`, i))
	}
	w.register("s", `{"entities":["tenant"]}`)
	w.publish("db.tenant.create", `{"id":"x"}`)
	w.copies("s", 1)
	w.register("s", `{"interests":[{"entity":"user","start":"all","filter":"key != '4'"}]}`)
	w.publish("db.user.create", `{"id":"y"}`)
	for _, m := range w.copies("s", 16) {
		var seq uint64
		if _, err := fmt.Sscan(sequence(m.Header), &seq); err != nil {
			t.Fatal(err)
		}
		if got := w.explained("s", seq); got.Copy == nil || got.Copy.Seq != m.Sequence || got.Verdict != contract.VerdictCopied {
			t.Errorf("event %d at %d: %+v, %+v", seq, m.Sequence, got, got.Copy)
		}
	}
	if got := w.explained("s", 5); got.Verdict != contract.VerdictFiltered || got.Copy != nil {
		t.Errorf("%+v", got)
	}
	for _, request := range []string{`{"seq":3,"epoch":2}`, `{"seq":3,"epoch":99}`} {
		if refusal := asRefusal(t, w.call("replhub.explain.s", request, nil)); refusal.Code != contract.CodeNotFound || refusal.Field != "epoch" {
			t.Errorf("%s: %v", request, refusal)
		}
	}
}
