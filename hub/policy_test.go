package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
)

// policy states the policy of an entity.
func (w *world) policy(entity, request string) contract.PolicySet {
	w.t.Helper()
	var reply contract.PolicySet
	if err := w.call("replhub.policy."+entity, request, &reply); err != nil {
		w.t.Fatalf("policy of %s %s: %v", entity, request, err)
	}
	return reply
}

// payloads are those of a lane's copies.
func payloads(copies []*jetstream.RawStreamMsg) string {
	texts := make([]string, 0, len(copies))
	for _, m := range copies {
		texts = append(texts, string(m.Data))
	}
	return strings.Join(texts, " ")
}

// TestPolicyNarrowsWhatIsInForce: once the command has answered, no copy holds what is
// not allowed, and a policy that allows more brings back what the service asked for.
func TestPolicyNarrowsWhatIsInForce(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("all", `{"entities":["user"]}`)
	w.register("some", `{"interests":[{"entity":"user","fields":["name","secret"]}]}`)
	w.register("gone", `{"entities":["user","tenant"]}`)
	before := w.publish("db.user.create", `{"id":"1","name":"a","secret":"x"}`)
	for _, service := range []string{"all", "some", "gone"} {
		w.copies(service, 1)
	}
	set := w.policy("user", `{"allow":{"all":{"fields":["id","name"]},"some":{"fields":["name"]}}}`)
	if len(set.Services) != 3 {
		t.Fatalf("%+v", set)
	}
	for i, want := range []string{contract.PolicyNarrowed, contract.PolicySuspended, contract.PolicyNarrowed} {
		if got := set.Services[i]; got.State != want || got.Seq != before+1 || (got.Reason != "") != (want == contract.PolicySuspended) {
			t.Errorf("%+v, want %s from %d", got, want, before+1)
		}
	}
	w.publish("db.user.update", `{"id":"1","name":"b","secret":"y"}`)
	w.publish("db.tenant.create", `{"id":"9"}`)
	for service, n := range map[string]int{"all": 2, "some": 2, "gone": 2} {
		w.copies(service, n) // a later policy holds for what is not copied yet
	}
	wide := w.policy("user", `{"allow":{"*":{"fields":["*"]}}}`)
	if wide.Rev <= set.Rev || wide.Services[0].State != contract.PolicyFull {
		t.Errorf("%+v", wide)
	}
	w.publish("db.user.update", `{"id":"1","name":"c","secret":"z"}`)
	for service, want := range map[string]string{
		"all":  `{"id":"1","name":"a","secret":"x"} {"id":"1","name":"b"} {"id":"1","name":"c","secret":"z"}`,
		"some": `{"name":"a","secret":"x"} {"name":"b"} {"name":"c","secret":"z"}`,
		"gone": `{"id":"1","name":"a","secret":"x"} {"id":"9"} {"id":"1","name":"c","secret":"z"}`,
	} {
		if got := payloads(w.copies(service, 3)); got != want {
			t.Errorf("%s got %s, want %s", service, got, want)
		}
	}
}

// TestPolicyAtRegistration: what is asked for by name and not allowed is refused, by its
// place; what is not named is narrowed, with a warning.
func TestPolicyAtRegistration(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.policy("user", `{"allow":{"s":{"fields":["id","address.city"],"ops":["create","update"],"filter":"data.country == 'DE'"}}}`)
	for request, field := range map[string]string{
		`{"interests":[{"entity":"user","fields":["id","address"]}]}`:                            "interests[0].fields[1]",
		`{"interests":[{"entity":"tenant"},{"entity":"user","fields":["address.city","name"]}]}`: "interests[1].fields[1]",
		`{"interests":[{"entity":"user","ops":["create","delete"]}]}`:                            "interests[0].ops[1]",
		`{"interests":[{"entity":"user","filter":"has(data.salary) && data.salary > 10"}]}`:      "interests[0].filter",
		`{"interests":[{"entity":"user","filter":"data['country'] == 'DE'"}]}`:                   "interests[0].filter",
		`{"interests":[{"entity":"user","ops":["read"]}]}`:                                       "interests[0].ops[0]",
	} {
		refusal := asRefusal(t, w.call("replhub.register.s", request, nil))
		if refusal.Code != contract.CodeNotAllowed || refusal.Field != field {
			t.Errorf("%s: %v, want %s", request, refusal, field)
		}
	}
	for request, field := range map[string]string{
		`{"entities":["user"]}`:             "entities[0]",
		`{"interests":[{"entity":"user"}]}`: "interests[0].entity",
	} {
		if refusal := asRefusal(t, w.call("replhub.register.other", request, nil)); refusal.Code != contract.CodeNotAllowed || refusal.Field != field {
			t.Errorf("%s: %v, want %s", request, refusal, field)
		}
	}
	reply := w.register("s", `{"interests":[{"entity":"user","filter":"data.id != '3'"}]}`)
	if len(reply.Warnings) != 2 || !strings.Contains(reply.Warnings[1], "address.city") {
		t.Errorf("warnings %q", reply.Warnings)
	}
	w.publish("db.user.create", `{"id":"1","name":"a","address":{"city":"X","street":"Y"},"country":"DE"}`)
	w.publish("db.user.create", `{"id":"2","name":"a","country":"FR"}`)
	w.publish("db.user.create", `{"id":"3","name":"a","country":"DE"}`)
	w.publish("db.user.delete", `{"id":"1","country":"DE"}`)
	no := w.publish("db.user.create", `{"id":"4"}`)
	w.publish("db.user.update", `{"id":"5","country":"DE"}`)
	if got, want := payloads(w.copies("s", 2)), `{"id":"1","address":{"city":"X"}} {"id":"5"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if e := w.explained("s", no); e.Verdict != contract.VerdictNotAllowed || e.Reason == "" {
		t.Errorf("%+v", e)
	}
	status, err := w.describe("s")
	if err != nil {
		t.Fatal(err)
	}
	if p := status.Interests[0].Policy; p == nil || p.State != contract.PolicyNarrowed || len(p.Grant.Fields) != 2 {
		t.Errorf("%+v", status.Interests)
	}
	if len(status.Interests[0].Fields) != 0 {
		t.Error("what the service asked for is not kept")
	}
}

// TestRegistrationUnderAPolicyIsRepeated: a service may send again at each start what is
// in force, though the policy allows less by now. It may not ask for more.
func TestRegistrationUnderAPolicyIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	const request = `{"interests":[{"entity":"user","fields":["id","secret"]},{"entity":"tenant"}]}`
	first := w.register("s", request)
	w.policy("user", `{"allow":{"s":{"fields":["id"]}}}`)
	w.policy("tenant", `{"allow":{}}`)
	again := w.register("s", request)
	if again.Since["user"] != first.Since["user"] || len(again.Warnings) != 2 {
		t.Errorf("%+v", again)
	}
	refusal := asRefusal(t, w.call("replhub.register.s", `{"interests":[{"entity":"user","fields":["id","secret","name"]}]}`, nil))
	if refusal.Code != contract.CodeNotAllowed || refusal.Field != "interests[0].fields[1]" {
		t.Error(refusal)
	}
	if w.register("s", `{"interests":[{"entity":"user","fields":["id"]}]}`); len(w.register("s", `{"entities":["user"]}`).Warnings) != 0 {
		t.Error("a warning without a reason")
	}
}

// TestPolicyThatVanishesOpensNothing: the registry is wiped, or gets an older copy back.
func TestPolicyThatVanishesOpensNothing(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.policy("user", `{"allow":{"s":{},"t":{}}}`)
	older, err := w.bucket().Get(t.Context(), "entities.user")
	if err != nil {
		t.Fatal(err)
	}
	w.policy("user", `{"allow":{"s":{"fields":["id"]}}}`)
	check := func(what string) {
		t.Helper()
		w.awaitAlarm("the policy of user")
		w.publish("db.user.create", `{"id":"1","secret":"x"}`)
		for _, service := range []string{"t", "u"} {
			if refusal := asRefusal(t, w.call("replhub.register."+service, `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeUnavailable {
				t.Errorf("%s: %v", what, refusal)
			}
		}
	}
	w.put("entities.user", string(older.Value()))
	check("an older copy")
	if err := w.bucket().Purge(t.Context(), "entities.user"); err != nil {
		t.Fatal(err)
	}
	check("nothing")
	stop()
	w.startHub()
	check("nothing, after a start")
	if got, want := payloads(w.copies("s", 3)), `{"id":"1"} {"id":"1"} {"id":"1"}`; got != want {
		t.Errorf("got %s", got)
	}
	if cleared := w.policy("user", `{"clear":true}`); !cleared.Cleared {
		t.Errorf("%+v", cleared)
	}
	w.register("t", `{"entities":["user"]}`)
	w.publish("db.user.create", `{"id":"2","secret":"x"}`)
	if got := payloads(w.copies("t", 1)); got != `{"id":"2","secret":"x"}` {
		t.Errorf("got %s", got)
	}
	w.awaitNoAlarm("the policy of user")
}

// TestPolicyWrittenByHand: a record in the registry is a policy, and gets a revision.
func TestPolicyWrittenByHand(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.put("entities.user", `{"v":1,"allow":{"s":{"fields":["id"]}}}`)
	inForce := func(fields int) func() error {
		return func() error {
			status, err := w.describe("s")
			if err != nil {
				return err
			}
			if p := status.Interests[0].Policy; p == nil || len(p.Grant.Fields) != fields {
				return fmt.Errorf("%+v", status.Interests[0])
			}
			return nil
		}
	}
	w.eventually("the policy in force", inForce(1))
	record, err := w.recordOf("entities.user")
	if err != nil || record["rev"] == nil {
		t.Fatalf("%v, %v", record, err)
	}
	w.put("entities.user", fmt.Sprintf(`{"v":1,"rev":%.0f,"allow":{"s":{"fields":["id","name"]}}}`, record["rev"]))
	w.eventually("the edited policy in force", inForce(2))
	w.put("entities.user", `{"v":1,"rev":18446744073709551615,"allow":{"s":{"fields":["id","name","age"]}}}`)
	w.eventually("a policy with a revision of nobody's in force", inForce(3))
	if set := w.policy("user", `{"allow":{"s":{"fields":["id"]}}}`); set.Rev > uint64(time.Now().Add(time.Hour).UnixMicro()) {
		t.Errorf("revision %d", set.Rev)
	}
	w.put("entities.user", `{"v":1,"allow":{"s":{"fieldz":["id"]}}}`)
	w.awaitAlarm("entities/user", "allow.s.fieldz")
	if refusal := asRefusal(t, w.call("replhub.register.t", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeUnavailable {
		t.Error(refusal)
	}
	w.put("entities.user", `{"v":1,"allow":{"s":{"fields":["a..b"]}}}`)
	w.awaitAlarm("written by hand", "allow.s.fields[0]")
	w.put("entities.user", `{"v":2,"allow":{}}`)
	w.awaitAlarm("newer replhub")
	if refusal := asRefusal(t, w.call("replhub.policy.user", `{"allow":{}}`, nil)); refusal.Code != contract.CodeConflict {
		t.Error(refusal)
	}
	w.awaitNoAlarm("written by hand")
}

// TestPolicyRequired: without a policy nothing is allowed, new or in force.
func TestPolicyRequired(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	stop()
	w.startHub(func(c *hub.Config) { c.Policy = hub.PolicyRequired })
	w.eventually("the interest suspended", func() error {
		status, err := w.describe("s")
		if err == nil && status.Interests[0].Policy == nil {
			err = fmt.Errorf("%+v", status.Interests)
		}
		return err
	})
	w.publish("db.user.create", `{"id":"1"}`)
	if refusal := asRefusal(t, w.call("replhub.register.t", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeNotAllowed {
		t.Error(refusal)
	}
	w.policy("user", `{"allow":{"s":{}}}`)
	w.publish("db.user.create", `{"id":"2"}`)
	if got := payloads(w.copies("s", 1)); got != `{"id":"2"}` {
		t.Errorf("got %s", got)
	}
	w.policy("user", `{"clear":true}`)
	last := w.publish("db.user.create", `{"id":"3"}`)
	if e := w.explained("s", last); e.Verdict != contract.VerdictNotAllowed || e.Reason != "s gets nothing of user now: the entity has no policy, and the hub requires one" {
		t.Errorf("%+v", e)
	}
}

// TestHubsWithDifferentPolicySettings: what a service gets would depend on which hub owns
// its lane, so that both hubs say it.
func TestHubsWithDifferentPolicySettings(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.ID = "open" })
	stop := w.startHub(func(c *hub.Config) { c.ID, c.Policy = "strict", hub.PolicyRequired })
	w.awaitAlarm(contract.EnvPolicy + ": open has open, strict has required")
	w.awaitAlarm(contract.EnvPolicy + ": strict has required, open has open")
	var status contract.Status
	if err := w.call("replhub.status", "", &status); err != nil || len(status.Degraded) != 1 || !strings.Contains(status.Degraded[0], contract.EnvPolicy) {
		t.Errorf("degraded %q, %v", status.Degraded, err)
	}
	stop()
	w.awaitNoAlarm(contract.EnvPolicy)
}

// TestPolicyIsConfirmed: the ledger lost its marks, or the hub that stated a policy ended
// before it noted that the policy is in force. Another look notes it; only then is a lane
// held that begins with an older copy of its stream.
func TestPolicyIsConfirmed(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	rev := time.Now().Add(-time.Minute).UnixMicro()
	w.put("entities.user", fmt.Sprintf(`{"v":1,"rev":%d,"allow":{"s":{"fields":["id"]}}}`, rev))
	w.eventually("the ledger to say that the policy is in force", func() error {
		m, err := w.stream(contract.StreamLedger).GetLastMsgForSubject(t.Context(), ingest.LedgerSubject)
		if err != nil {
			return err
		}
		if want := fmt.Sprintf(`"in_force":%d`, rev); !strings.Contains(string(m.Data), want) {
			return fmt.Errorf("%s is not in %s", want, m.Data)
		}
		return nil
	})
}
