package e2e_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/e2e/judge"
	"github.com/replhub/replhub/internal/contract"
)

// TestRefusals sends what no verb takes: each is refused by name, with its code
// and field, and nothing is written.
func TestRefusals(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 71})
	w.StartHub("h1")
	w.Register("plain", want("user"))
	w.Publish(harness.Load{}, 20)
	long := strings.Repeat("a", 300)
	for _, c := range []struct {
		subject, request string
		code             contract.Code
		field            string
	}{
		{"register.s", `nonsense`, contract.CodeBadJSON, ""},
		{"register.s", `[]`, contract.CodeBadJSON, ""},
		{"register.s", `"user"`, contract.CodeBadJSON, ""},
		{"register.s", `{"entitys":["user"]}`, contract.CodeUnknownField, "entitys"},
		{"register.s", `{"Entities":["user"]}`, contract.CodeUnknownField, "Entities"},
		{"register.s", `{"interests":[{"entity":"user","opps":["create"]}]}`, contract.CodeUnknownField, "interests[0].opps"},
		{"register.s", `{"interests":[{"entity":"user"},{"entity":"tenant","since":1}]}`, contract.CodeUnknownField, "interests[1].since"},
		{"register.s", `{"entities":["user"],"queue":{"ordre":"key"}}`, contract.CodeUnknownField, "queue.ordre"},
		{"register.s", `{"interests":[{"entity":"user","ops":["create","rename"]}]}`, contract.CodeInvalidValue, "interests[0].ops[1]"},
		{"register.s", `{"interests":[{"entity":"user","start":"yesterday"}]}`, contract.CodeInvalidValue, "interests[0].start"},
		{"register.s", `{"interests":[{"entity":"user","start":99999}]}`, contract.CodeInvalidValue, "interests[0].start"},
		{"register.s", `{"interests":[{"entity":"user"},{"entity":"user"}]}`, contract.CodeInvalidValue, "interests[1].entity"},
		{"register.s", `{"entities":["user","user"]}`, contract.CodeInvalidValue, "entities[1]"},
		{"register.s", `{"interests":[{"entity":"user","filter":"data.x =="}]}`, contract.CodeInvalidFilter, "interests[0].filter"},
		{"register.s", `{"interests":[{"entity":"user","filter":"1 + 1"}]}`, contract.CodeInvalidFilter, "interests[0].filter"},
		{"register.s", `{"interests":[{"entity":"user","filter":"nosuch.x == 1"}]}`, contract.CodeInvalidFilter, "interests[0].filter"},
		{"register.s", `{"interests":[{"entity":"user","echo":"yes"}]}`, contract.CodeInvalidValue, "interests.echo"},
		{"register.s", `{"entities":["user"],"queue":{"order":"fifo"}}`, contract.CodeInvalidValue, "queue.order"},
		{"register.s", `{"entities":["user"],"queue":{"order":"none","partitions":4}}`, contract.CodeInvalidValue, "queue.partitions"},
		{"register.s", `{"entities":["user"],"queue":{"order":"key","partitions":100000}}`, contract.CodeInvalidValue, "queue.partitions"},
		{"register.s", `{"entities":["user"],"max_bytes":10}`, contract.CodeInvalidValue, "max_bytes"},
		{"register.s", `{}`, contract.CodeNotFound, ""},
		{"register.s", ``, contract.CodeNotFound, ""},
		{"register.UPPER", `{"entities":["user"]}`, contract.CodeInvalidName, "service"},
		{"register." + long, `{"entities":["user"]}`, contract.CodeInvalidName, "service"},
		{"register.us\u00e9r", `{"entities":["user"]}`, contract.CodeInvalidName, "service"},
		{"register.\u0455haring", `{"entities":["user"]}`, contract.CodeInvalidName, "service"}, // a Cyrillic letter
		{"register.-s", `{"entities":["user"]}`, contract.CodeInvalidName, "service"},
		{"unregister.plain", `{"entity":"user"}`, contract.CodeUnknownField, "entity"},
		{"unregister.plain", `{"entities":["U"]}`, contract.CodeInvalidName, "entities[0]"},
		{"unregister.nobody", ``, contract.CodeNotFound, ""},
		{"drop.plain", ``, contract.CodeInUse, ""},
		{"drop.nobody", ``, contract.CodeNotFound, ""},
		{"drop.plain", `{"force":true}`, contract.CodeUnknownField, "force"},
		{"pause.plain", `{}`, contract.CodeInvalidValue, "for"},
		{"pause.plain", `{"for":"-1s"}`, contract.CodeInvalidValue, "for"},
		{"pause.nobody", `{"for":"1s"}`, contract.CodeNotFound, ""},
		{"resume.nobody", ``, contract.CodeNotFound, ""},
		{"rewind.plain", `{}`, contract.CodeInvalidValue, "to"},
		{"rewind.nobody", `{"to":1}`, contract.CodeNotFound, ""},
		{"describe.nobody", ``, contract.CodeNotFound, ""},
		{"describe.plain", `{"x":1}`, contract.CodeUnknownField, "x"},
		{"explain.plain", `{}`, contract.CodeInvalidValue, "seq"},
		{"explain.plain", `{"seq":99999}`, contract.CodeNotFound, "seq"},
		{"explain.nobody", `{"seq":1}`, contract.CodeNotFound, ""},
		{"who", `{"entity":"UPPER"}`, contract.CodeInvalidName, "entity"},
		{"who", `{"entities":["user"]}`, contract.CodeUnknownField, "entities"},
		{"services", `{"all":true}`, contract.CodeUnknownField, "all"},
		{"status", `1`, contract.CodeBadJSON, ""},
	} {
		w.Refused("replhub."+c.subject, c.request, c.code, c.field)
	}
	for _, entity := range []string{"user.>", "*", "a.b", "", long, "a\\u0000b", "us\\r\\ner", "\u0443ser", "User", "-x", "_x", "db/x"} {
		request := fmt.Sprintf(`{"entities":["%s"]}`, entity)
		w.Refused("replhub.register.s", request, contract.CodeInvalidName, "entities[0]")
		w.Refused("replhub.register.s", fmt.Sprintf(`{"interests":[{"entity":"%s"}]}`, entity), contract.CodeInvalidName, "interests[0].entity")
	}
	for _, subject := range []string{"replhub.nosuch", "replhub.register", "replhub.register.a.b", "replhub.who.user", "replhub.status.x"} {
		if err := w.Call(subject, "", nil); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: %v, want no responders", subject, err)
		}
	}
	var services contract.Services
	w.MustCall("replhub.services", "", &services)
	if len(services.Services) != 1 {
		t.Errorf("services %+v, want the one that was registered rightly", services)
	}
	w.Finish("refusals", 0, settleWithin)
}

// TestRegistrations registers in all the ways there are and again.
func TestRegistrations(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 72})
	hub := w.StartHub("h1")
	w.Publish(harness.Load{}, 100)
	first := w.Register("plain", want("user"))
	if first.Service != "plain" || first.Stream != "SUB_plain" || !slices.Equal(first.Consumers, []string{"workers"}) ||
		first.Epoch != 1 || first.Since["user"] != 101 || !first.Complete {
		t.Errorf("reply %+v", first)
	}
	id := w.Describe("plain").Interests[0].ID
	w.Publish(harness.Load{}, 50)
	again := w.Register("plain", from("all", want("user"))) // start counts once
	if again.Since["user"] != 101 || w.Describe("plain").Interests[0].ID != id {
		t.Errorf("again: %+v", again)
	}
	if all := w.Register("all", from("all", want("user"))); all.Since["user"] != 1 || !all.Complete {
		t.Errorf("all: %+v", all)
	}
	if by := w.Register("by-seq", from("42", want("user"))); by.Since["user"] != 42 {
		t.Errorf("by sequence: %+v", by)
	}
	at := w.Events(1)[69]
	if by := w.Register("by-time", from(at.Time.Format(time.RFC3339Nano), want("user"))); by.Since["user"] != 70 {
		t.Errorf("by time: %+v", by)
	}
	// A definition is kept by the short form and by another entity's, and what
	// a full interest leaves out takes its default.
	w.Register("filtered", acmeOnly("user"))
	var short contract.Registered
	w.MustCall("replhub.register.filtered", `{"entities":["user"],"queue":{"ack_wait":"5s"}}`, &short)
	if in := w.Describe("filtered"); in.Interests[0].Filter == "" || in.Queue.AckWait != contract.Duration(5*time.Second) || in.Queue.MaxDeliver != 10 {
		t.Errorf("after the short form: %+v", in)
	}
	w.Publish(harness.Load{}, 60)
	changed := w.Register("filtered", withoutSecret("user"))
	if in := w.Describe("filtered").Interests[0]; in.Filter != "" || len(in.Fields) == 0 || changed.Seq <= changed.Since["user"] {
		t.Errorf("after the change: %+v, reply %+v", in, changed)
	}
	// A service's own events.
	w.Register("own", want("user"))
	w.Register("echo", harness.Want{Entity: "user", Definition: judge.Definition{Echo: true}})
	w.Publish(harness.Load{Origin: "own"}, 30)
	w.Publish(harness.Load{Origin: "echo"}, 30)
	hub.Kill()
	hub.Start()
	w.Publish(harness.Load{}, 30)
	w.Finish("registrations", 1, settleWithin)
}

// TestQueueChanges changes order and partitions: refused while there is a
// backlog, done when everything is acknowledged.
func TestQueueChanges(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 73})
	w.StartHub("h1")
	w.MustCall("replhub.register.plain", `{"entities":["user","tenant"]}`, nil)
	w.Publish(harness.Load{}, 100)
	caughtUp(w, "plain")
	w.Refused("replhub.register.plain", `{"queue":{"order":"key","partitions":4}}`, contract.CodeBacklog, "queue")
	w.MustCall("replhub.register.plain", `{"queue":{"max_deliver":3}}`, nil) // that one is free
	first := w.Work("plain", "workers")
	idle := func() {
		t.Helper()
		w.Eventually("everything to be acknowledged", settleWithin, func() error {
			if n := w.Describe("plain").Backlog; n > 0 {
				return fmt.Errorf("%d left", n)
			}
			return nil
		})
	}
	idle()
	first.Stop()
	var reply contract.Registered
	w.MustCall("replhub.register.plain", `{"queue":{"order":"key","partitions":4}}`, &reply)
	if !slices.Equal(reply.Consumers, []string{"workers-0", "workers-1", "workers-2", "workers-3"}) {
		t.Errorf("consumers %q", reply.Consumers)
	}
	if n := w.Describe("plain").Backlog; n != 0 {
		t.Errorf("backlog %d after the change: what was acknowledged came back", n)
	}
	w.Publish(harness.Load{}, 100)
	caughtUp(w, "plain")
	w.Refused("replhub.register.plain", `{"queue":{"partitions":2}}`, contract.CodeBacklog, "queue")
	second := w.Work("plain", reply.Consumers...)
	idle()
	second.Stop()
	w.MustCall("replhub.register.plain", `{"queue":{"order":"none"}}`, &reply)
	if !slices.Equal(reply.Consumers, []string{"workers"}) {
		t.Errorf("consumers %q", reply.Consumers)
	}
	if both := first.Handled() + second.Handled(); both != copiesOf(w.Lane("plain")) {
		t.Errorf("handled %d of %d copies", both, copiesOf(w.Lane("plain")))
	}
}

// TestEndAndDrop ends interests and drops the lane, which may begin again.
func TestEndAndDrop(t *testing.T) {
	for _, registry := range registries() {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 74})
			hub := w.StartHub("h1")
			w.Register("plain", want("user"), want("tenant"))
			w.Publish(harness.Load{}, 50)
			if got := w.Unregister("plain", "user"); !slices.Equal(got.Ended, []string{"user"}) || !slices.Equal(got.Entities, []string{"tenant"}) {
				t.Errorf("unregistered %+v", got)
			}
			w.Refused("replhub.drop.plain", "", contract.CodeInUse, "")
			if got := w.Unregister("plain", "user"); len(got.Ended) != 0 {
				t.Errorf("unregistered again %+v", got)
			}
			w.Publish(harness.Load{}, 50)
			settled(w, "end and drop")
			if got := w.Unregister("plain"); !slices.Equal(got.Ended, []string{"tenant"}) || len(got.Entities) != 0 {
				t.Errorf("unregistered %+v", got)
			}
			w.Publish(harness.Load{}, 50)
			settled(w, "end and drop")
			var dropped contract.Dropped
			w.MustCall("replhub.drop.plain", "", &dropped)
			if dropped.Stream != "SUB_plain" {
				t.Errorf("dropped %+v", dropped)
			}
			if _, err := w.JS.Stream(t.Context(), "SUB_plain"); err == nil {
				t.Error("the stream is still there")
			}
			w.Refused("replhub.describe.plain", "", contract.CodeNotFound, "")
			w.Forget("plain")
			hub.Kill()
			hub.Start()
			w.Register("plain", from("all", want("user")))
			w.Publish(harness.Load{}, 50)
			w.Finish("end and drop", 1, settleWithin)
		})
	}
}

// TestReports asks for everything that can be asked.
func TestReports(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 75})
	w.StartHub("h1")
	w.Publish(harness.Load{Writers: 1}, 10)
	w.Register("plain", harness.Want{Entity: "user", Definition: judge.Definition{Ops: []string{"create"}}})
	w.Register("filtered", acmeOnly("user"), want("tenant"))
	type c struct{ service, subject, origin, payload, verdict string }
	for _, c := range []c{
		{"plain", "db.user.create", "", innocent, contract.VerdictCopied},
		{"plain", "db.user.update", "", innocent, contract.VerdictOp},
		{"plain", "db.tenant.create", "", innocent, contract.VerdictNoInterest},
		{"plain", "db.user.create", "plain", innocent, contract.VerdictOwn},
		{"filtered", "db.user.create", "", innocent, contract.VerdictCopied},
		{"filtered", "db.user.create", "", `{"id":"1","tenant":"other"}`, contract.VerdictFiltered},
		{"filtered", "db.user.create", "", `nonsense`, contract.VerdictDeadLettered},
		{"filtered", "db.user.create", "", `{"id":"1"}`, contract.VerdictDeadLettered},
		{"filtered", "db.user.delete", "", `{"id":"1"}`, contract.VerdictCopied},
	} {
		h := nats.Header{}
		if c.origin != "" {
			h.Set("Replhub-Origin", c.origin)
		}
		seq := mustSend(t, w, c.subject, h, []byte(c.payload))
		caughtUp(w, c.service)
		var got contract.Explained
		w.MustCall("replhub.explain."+c.service, fmt.Sprintf(`{"seq":%d}`, seq), &got)
		if got.Verdict != c.verdict || got.Reason == "" || got.Seq != seq || got.Epoch != 1 || "db."+got.Entity+"."+got.Op != c.subject {
			t.Errorf("%+v: explained as %+v", c, got)
		}
	}
	var before contract.Explained
	for seq := 1; before.Verdict != contract.VerdictBefore && seq <= 10; seq++ {
		w.MustCall("replhub.explain.plain", fmt.Sprintf(`{"seq":%d}`, seq), &before)
	}
	if before.Verdict != contract.VerdictBefore {
		t.Errorf("an old event explained as %+v", before)
	}
	if d := w.Describe("filtered"); d.DeadLetters != 2 || d.Owner != "h1" || len(d.Interests) != 2 || len(d.Workers) != 1 || d.Backlog != d.Workers[0].Pending {
		t.Errorf("described as %+v", d)
	}
	var who contract.Interested
	w.MustCall("replhub.who", `{"entity":"user"}`, &who)
	if len(who.Services) != 2 || who.Services[0].Service != "filtered" || who.Services[1].Service != "plain" {
		t.Errorf("who %+v", who)
	}
	w.MustCall("replhub.who", `{"entity":"nothing"}`, &who)
	var services contract.Services
	w.MustCall("replhub.services", "{}", &services)
	if len(services.Services) != 2 || services.Services[0].Service != "filtered" {
		t.Errorf("services %+v", services)
	}
	s := w.Status()
	if s.Hub != "h1" || !s.Ready || !slices.Contains(s.Hubs, "h1") || !s.Registry.Connected || s.Ingest.LastSeq != w.LastSeq("") ||
		s.Lanes[contract.LaneLive] != 2 {
		t.Errorf("status %+v", s)
	}
	w.Finish("reports", 0, settleWithin)
}
