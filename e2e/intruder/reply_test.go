package intruder_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/rolestest"
)

// A reply subject is under no permission: the server sends the answer to whatever a
// request names. These are the requests that a service may make, each with an answer
// of another kind.

// answers are ways of a service to have an answer sent to a subject.
func (w *world) answers() map[string]func(nc *nats.Conn, target string) {
	api := "$JS.API."
	if domain := w.Domain("sharing"); domain != "" {
		api = "$JS." + domain + ".API."
	}
	request := func(subject, body string) func(*nats.Conn, string) {
		return func(nc *nats.Conn, target string) {
			if err := nc.PublishRequest(subject, target, []byte(body)); err != nil {
				w.t.Error(err)
			}
		}
	}
	return map[string]func(*nats.Conn, string){
		"a delivery":                 request(api+"CONSUMER.MSG.NEXT.SUB_sharing.workers", "1"),
		"the end of a pull":          request(api+"CONSUMER.MSG.NEXT.SUB_sharing.workers", `{"batch":0}`),
		"a consumer's state":         request(api+"CONSUMER.INFO.SUB_sharing.workers", ""),
		"a stream's state":           request(api+"STREAM.INFO.SUB_sharing", ""),
		"an event's acknowledgement": request("db.tenant.create", `{}`),
		"a letter's acknowledgement": request("dlq.sharing.tenant.create", `{}`),
		"a hub's answer":             request("replhub.describe.sharing", ""),
		"a hub's refusal":            request("replhub.describe.sharing", "no JSON"),
		"a copy's acknowledgement": func(nc *nats.Conn, target string) {
			m, err := nc.Request(api+"CONSUMER.MSG.NEXT.SUB_sharing.workers", []byte(`{"batch":1,"no_wait":true}`), patience/2)
			if err != nil || m.Reply == "" {
				w.t.Errorf("no copy to acknowledge: %v", err)
				return
			}
			if err := nc.PublishRequest(m.Reply, target, []byte("+ACK")); err != nil {
				w.t.Error(err)
			}
		},
	}
}

// targets are subjects at which an answer of the server's would do harm.
func targets() []string {
	return []string{
		"db.payment.create", "db.user.delete", "sub.audit.user.create.0", "sub.audit._state", "dlq.audit.user.create",
		"replhub.unregister.audit", "replhub.drop.audit", "replhub.pause.audit", "replhub.register.audit", "replhub.join.keyed",
		"replhub._to.one._detach.audit", "replhub._to.one.drop.audit", "replhub._detached.audit", "replhub._unavailable.audit", "replhub._changed",
		"replhub._ledger", "replhub._members.keyed", "replhub._snapshot.user", "$KV.REPLHUB.entities.user.audit", "$KV.REPLHUB.hubs.another",
		"$JS.API.STREAM.DELETE.SUB_audit", "$JS.API.STREAM.PURGE.SUB_audit", "$JS.API.STREAM.CREATE.MINE", "$JS.API.CONSUMER.DELETE.SUB_audit.workers",
		"$JS.API.CONSUMER.RESET.SUB_audit.workers", "$JS.API.CONSUMER.MSG.NEXT.SUB_audit.workers", "$JS.API.CONSUMER.PAUSE.SUB_audit.workers",
		"_INBOX_audit.x", "_INBOX_HUB.x",
	}
}

// baits publishes events of the intruder's own, of which it gets copies (echo): the
// payloads of deliveries are what it likes.
func (w *world) baits(nc *nats.Conn, n int) {
	w.t.Helper()
	payloads := []string{`{}`, `{"seq":1}`, "+ACK", "", `{"batch":5}`, "1", `{"entities":["user"]}`}
	for i := range n {
		if _, err := nc.Request("db.tenant.create", []byte(payloads[i%len(payloads)]), patience/2); err != nil {
			w.t.Fatal(err)
		}
	}
	w.settled("sharing", uint64(furnished+n))
}

// Across accounts, no answer leaves the account that asked.
func TestRepliesStayInTheAccountOfTheServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rolestest.TwoAccounts, "")
	w.startHub("one")
	w.furnish()
	intruder := w.Connect("sharing")
	// Only sharing wants tenants, so nobody else's lane changes by the baits.
	tried := w.ways("sharing", targets())
	w.baits(intruder, copiesPerTarget*len(tried))
	var heard []*nats.Subscription
	for _, target := range tried {
		sub, err := w.root.SubscribeSync(target)
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, sub)
	}
	if err := w.root.Flush(); err != nil {
		t.Fatal(err)
	}
	before := w.steady("DB", "DLQ")
	for _, target := range tried {
		for _, send := range w.answers() {
			send(intruder, target)
		}
	}
	// Each answer has been sent when the one to a later request is there.
	w.must(intruder, "replhub.describe.sharing", "")
	for _, sub := range heard {
		for m, err := sub.NextMsg(time.Millisecond); err == nil; m, err = sub.NextMsg(time.Millisecond) {
			if !strings.HasPrefix(m.Subject, "$JS.API.CONSUMER.MSG.NEXT.SUB_sharing") && !looksForOthers(m) {
				t.Errorf("%s came to %s with %q", m.Subject, sub.Subject, m.Data)
			}
		}
	}
	if after := w.fingerprint("DB", "DLQ"); after != before {
		t.Errorf("something has changed:\n%s\nbecame\n%s", before, after)
	}
	w.onlyTenants()
}

// looksForOthers reports whether a message is a hub's own question for other
// installations, which no stream may store. No answer of a server has that header.
func looksForOthers(m *nats.Msg) bool { return m.Header.Get(jetstream.ExpectedStreamHeader) == "-" }

// copiesPerTarget is how many copies the answers to one target take.
const copiesPerTarget = 3

// onlyTenants fails where DB or DLQ got anything that the intruder may not write.
func (w *world) onlyTenants() {
	w.t.Helper()
	for stream, may := range map[string]string{"DB": "db.tenant.create", "DLQ": "dlq.sharing.tenant.create"} {
		for _, target := range targets() {
			s, err := w.js.Stream(w.t.Context(), stream)
			if err != nil {
				w.t.Fatal(err)
			}
			if m, err := s.GetLastMsgForSubject(w.t.Context(), target); err == nil && m.Subject != may && !strings.HasPrefix(m.Subject, "db.user.update") {
				w.t.Errorf("%s has %s: %q", stream, m.Subject, m.Data)
			}
		}
	}
}

// The control of the test above: in one account, a user who may acknowledge a copy can have
// the server delete any stream. If this test fails, the server no longer does that, and
// docs/security.md can say so.
func TestOneAccountIsNoBoundary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rolestest.OneAccount, "")
	w.startHub("one")
	w.furnish()
	if _, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHERS", Subjects: []string{"others.>"}}); err != nil {
		t.Fatal(err)
	}
	w.answers()["a copy's acknowledgement"](w.Connect("sharing"), "$JS.API.STREAM.DELETE.OTHERS")
	w.eventually("the stream to be gone", func() error {
		_, err := w.js.Stream(t.Context(), "OTHERS")
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		return errNotYet
	})
}

// In one account, the hub passes over what the server has sent in its place.
func TestHubPassesOverTheServersAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rolestest.OneAccount, "")
	w.startHub("one")
	w.furnish()
	intruder := w.Connect("sharing")
	verbs := []string{
		"replhub.unregister.audit", "replhub.drop.audit", "replhub.pause.audit", "replhub.register.audit", "replhub.rewind.audit", "replhub.join.keyed",
		"replhub._to.one._detach.audit", "replhub._to.one.drop.audit", "replhub._unavailable.audit", "replhub._changed",
	}
	w.baits(intruder, copiesPerTarget*(len(verbs)+1))
	before := w.steady("DB", "DLQ")
	for _, verb := range verbs {
		for _, send := range w.answers() {
			send(intruder, verb)
		}
	}
	// A delivery, and what JetStream says of its state, are no events either.
	for _, what := range []string{"a delivery", "a consumer's state", "a stream's state", "a hub's answer", "a hub's refusal"} {
		w.answers()[what](intruder, "db.payment.create")
	}
	w.must(intruder, "replhub.describe.sharing", "")
	w.eventually("the hub to have read all", func() error {
		var status contract.LaneStatus
		err := w.call(w.root, "replhub.describe.audit", "", &status)
		if _, refused := errors.AsType[*contract.Error](err); refused {
			t.Fatal(err) // audit was dropped
		}
		if err != nil {
			return err
		}
		if status.Lag != 0 {
			return fmt.Errorf("lag %d", status.Lag)
		}
		return nil
	})
	if after := w.fingerprint("DB", "DLQ"); after != before {
		t.Errorf("something has changed:\n%s\nbecame\n%s", before, after)
	}
}
