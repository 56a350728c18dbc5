package hub_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
)

// TestPolicyOfRows: the rows of snapshots and backfills are under the policy, and so are
// those that are on their way when it changes.
func TestPolicyOfRows(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.serve("owner", newUsers(3).snapshot)
	w.policy("user", `{"allow":{"s":{"fields":["id"]},"u":{"ops":["update"]}}}`)
	refusal := asRefusal(t, w.call("replhub.register.u", `{"interests":[{"entity":"user","start":"snapshot"}]}`, nil))
	if refusal.Code != contract.CodeNotAllowed || refusal.Field != "interests[0].start" {
		t.Error(refusal)
	}
	w.register("s", `{"interests":[{"entity":"user","start":"snapshot"}]}`)
	for _, m := range w.copies("s", 3) {
		if string(m.Data) != fmt.Sprintf(`{"id":%q}`, m.Header.Get(contract.HeaderKey)) {
			t.Errorf("a row %s", m.Data)
		}
	}
	refusal = asRefusal(t, w.call("replhub.backfill.s", `{"entity":"user","filter":"has(data.n) && data.n > 1"}`, nil))
	if refusal.Code != contract.CodeNotAllowed || refusal.Field != "filter" {
		t.Error(refusal)
	}
	w.policy("user", `{"allow":{"s":{"ops":["update"]}}}`)
	refusal = asRefusal(t, w.call("replhub.backfill.s", `{"entity":"user"}`, nil))
	if refusal.Code != contract.CodeNotAllowed || refusal.Field != "entity" {
		t.Error(refusal)
	}
	w.policy("user", `{"allow":{"s":{}}}`)
	fill := w.backfill("s", `{"entity":"user"}`)
	w.filled("s", fill.ID)
	if got := string(w.copies("s", 6)[5].Data); len(got) <= len(`{"id":"k000002"}`) {
		t.Errorf("a policy that allows more gives %s", got)
	}
}

// TestPolicyOfLetters: a dead letter was made of an earlier copy. It comes back as the
// present policy allows, or stays.
func TestPolicyOfLetters(t *testing.T) {
	w := newWorld(t)
	w.startHub(quickly)
	w.register("s", `{"entities":["user"],"queue":{"max_deliver":1}}`)
	w.publish("db.user.update", `{"id":"1","secret":"x","country":"DE"}`)
	w.publish("db.user.update", `{"id":"2","secret":"x","country":"FR"}`)
	w.publish("db.user.create", `{"id":"3","secret":"x","country":"DE"}`)
	w.copies("s", 3)
	w.work("s", "workers", poison("1", "2", "3"))
	w.letters(3)
	w.policy("user", `{"allow":{"s":{"fields":["id"],"ops":["update"],"filter":"data.country == 'DE'"}}}`)
	w.policy("user", `{"allow":{"s":{"fields":["name"]}}}`)
	if done := w.redrive("s", `{"all":true}`); done.Redriven != 0 || len(done.Left) != 3 {
		t.Errorf("without a field in common: %+v", done)
	}
	w.policy("user", `{"allow":{"s":{"fields":["id"],"ops":["update"],"filter":"data.country == 'DE'"}}}`)
	done := w.redrive("s", `{"all":true}`)
	if done.Redriven != 1 || len(done.Left) != 2 {
		t.Errorf("%+v", done)
	}
	if got := string(w.copies("s", 4)[3].Data); got != `{"id":"1"}` {
		t.Errorf("it came back as %s", got)
	}
	if err := w.call("replhub.unregister.s", `{}`, nil); err != nil {
		t.Fatal(err)
	}
	before, _ := w.newestState("s")
	w.policy("user", `{"allow":{}}`)
	if after, _ := w.newestState("s"); after <= before {
		t.Error("a redrive that is under way is not fenced")
	}
	if done := w.redrive("s", `{"all":true}`); done.Redriven != 0 || len(done.Left) != 2 {
		t.Errorf("without an interest: %+v", done)
	}
}

// TestPolicyAndARegistrationUnderWay: a registration that began before the policy comes
// into force before the policy answers, and is then narrowed.
func TestPolicyAndARegistrationUnderWay(t *testing.T) {
	w := newWorld(t)
	judged, stored, goOn := make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	var once sync.Once
	w.startHub(func(c *hub.Config) {
		c.Failpoint = func(step string) {
			switch step {
			case "judged":
				once.Do(func() { close(judged); <-goOn })
			case "policy stored":
				stored <- struct{}{}
			}
		}
	})
	registered, set := make(chan error, 1), make(chan error, 1)
	go func() { registered <- w.call("replhub.register.s", `{"entities":["user"]}`, nil) }()
	<-judged
	go func() { set <- w.call("replhub.policy.user", `{"allow":{"s":{"fields":["id"]}}}`, nil) }()
	<-stored
	select {
	case err := <-set:
		close(goOn)
		t.Fatalf("the policy did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(goOn)
	if err := <-registered; err != nil {
		t.Fatal(err)
	}
	if err := <-set; err != nil {
		t.Fatal(err)
	}
	w.publish("db.user.create", `{"id":"1","secret":"x"}`)
	if got := payloads(w.copies("s", 1)); got != `{"id":"1"}` {
		t.Errorf("got %s", got)
	}
}

// TestPolicyAndARegistrationThatPinsTwice: a registration under way judges its first
// interest before the policy, and pins ingest again for its second one. The policy waits
// for it all the same.
func TestPolicyAndARegistrationThatPinsTwice(t *testing.T) {
	w := newWorld(t)
	var n atomic.Int32
	judged, goOn := [2]chan struct{}{make(chan struct{}), make(chan struct{})}, [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	stored := make(chan struct{}, 1)
	w.startHub(func(c *hub.Config) {
		c.Failpoint = func(step string) {
			switch step {
			case "judged":
				if i := n.Add(1) - 1; i < 2 {
					close(judged[i])
					<-goOn[i]
				}
			case "policy stored":
				stored <- struct{}{}
			}
		}
	})
	w.publish("db.tenant.create", `{"id":"1"}`)
	registered, set := make(chan error, 1), make(chan error, 1)
	go func() {
		registered <- w.call("replhub.register.s", `{"interests":[{"entity":"user"},{"entity":"tenant","start":"all"}]}`, nil)
	}()
	<-judged[0]
	go func() { set <- w.call("replhub.policy.user", `{"allow":{"s":{"fields":["id"]}}}`, nil) }()
	<-stored
	close(goOn[0])
	<-judged[1]
	select {
	case err := <-set:
		t.Errorf("the policy answered while the registration is under way: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(goOn[1])
	if err := <-registered; err != nil {
		t.Fatal(err)
	}
	if err := <-set; err != nil {
		t.Fatal(err)
	}
	w.publish("db.user.create", `{"id":"1","secret":"x"}`)
	if got := payloads(w.copies("s", 2)); got != `{"id":"1"} {"id":"1"}` {
		t.Errorf("got %s", got)
	}
}

// TestPolicyWithRivalHubs: two hubs copy into the same lanes, and one of them puts the
// policy in force. From the position in the answer on, no copy has what is not allowed,
// and each event comes once.
func TestPolicyWithRivalHubs(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"one", "two"} {
		w.startHub(func(c *hub.Config) { c.ID, c.OwnAll = id, true })
	}
	services := []string{"a", "b", "c"}
	for _, service := range services {
		w.register(service, `{"entities":["user"]}`)
	}
	const rounds = 40
	n := 0
	publish := func() {
		for range rounds {
			n++
			w.publish("db.user.create", fmt.Sprintf(`{"id":"%d","secret":"x"}`, n))
		}
	}
	publish()
	var answered contract.PolicySet
	done := make(chan error, 1)
	go func() { done <- w.call("replhub.policy.user", `{"allow":{"*":{"fields":["id"]}}}`, &answered) }()
	publish()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	last := uint64(n)
	publish()
	from := make(map[string]uint64)
	for _, s := range answered.Services {
		from[s.Service] = s.Seq
	}
	for _, service := range services {
		if from[service] == 0 || from[service] > last+1 {
			t.Errorf("%s: from %d, and %d events were published before the answer", service, from[service], last)
		}
		// The answer tells a position from which the policy surely holds. Where a rival was
		// first to put it in force, that is behind the position from which it does.
		holds := false
		for i, m := range w.copies(service, n) {
			narrow := fmt.Sprintf(`{"id":"%d"}`, i+1)
			holds = holds || uint64(i+1) >= from[service] || string(m.Data) == narrow
			want := narrow
			if !holds {
				want = fmt.Sprintf(`{"id":"%d","secret":"x"}`, i+1)
			}
			if string(m.Data) != want {
				t.Fatalf("%s, event %d of %d: %s", service, i+1, from[service], m.Data)
			}
		}
	}
}

// TestFalseOrigin: a publisher that names another service as the origin keeps the event
// from that service, unless it has asked for its own events. It has no other effect: the
// policy of the named service does not apply to anybody else, nor its own to it.
func TestFalseOrigin(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.policy("user", `{"allow":{"a":{},"b":{"fields":["id"]},"c":{"fields":["id"]}}}`)
	w.register("a", `{"entities":["user"]}`)
	w.register("b", `{"entities":["user"]}`)
	w.register("c", `{"interests":[{"entity":"user","echo":true}]}`)
	w.publish("db.user.create", `{"id":"1","secret":"x"}`, contract.HeaderOrigin, "a")
	w.publish("db.user.create", `{"id":"2","secret":"x"}`, contract.HeaderOrigin, "c")
	for service, want := range map[string]string{
		"a": `{"id":"2","secret":"x"}`, "b": `{"id":"1"} {"id":"2"}`, "c": `{"id":"1"} {"id":"2"}`,
	} {
		w.eventually("the end of ingest in "+service, func() error {
			status, err := w.describe(service)
			if err == nil && status.Lag > 0 {
				err = fmt.Errorf("%d events behind", status.Lag)
			}
			return err
		})
		if got := payloads(w.copies(service, strings.Count(want, "} {")+1)); got != want {
			t.Errorf("%s got %s, want %s", service, got, want)
		}
	}
}

// TestPolicyFencesWhatADeadHubLeft: a registration whose hub has given up may still have
// a message on its way. The lane gets a new state record, which that message does not fit
// behind. The ledger has a form that a hub without policies refuses, until the policy
// ends.
func TestPolicyFencesWhatADeadHubLeft(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["tenant"]}`)
	l, err := w.ledger()
	if err != nil {
		t.Fatal(err)
	}
	l.Pins = map[string]retention.Pin{"s/dead": {Seq: 1, Until: time.Now().Add(9 * time.Minute)}}
	data, err := retention.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.js.Publish(t.Context(), "replhub._ledger", data); err != nil {
		t.Fatal(err)
	}
	before, _ := w.newestState("s")
	if set := w.policy("user", `{"allow":{}}`); len(set.Services) != 0 {
		t.Errorf("%+v", set)
	}
	if after, _ := w.newestState("s"); after <= before {
		t.Error("the lane is not fenced")
	}
	if l, err = w.ledger(); err != nil || l.Form != 2 || l.Policies["user"].Rev == 0 {
		t.Errorf("%+v, %v", l, err)
	}
	w.policy("user", `{"clear":true}`)
	if l, err = w.ledger(); err != nil || !l.Policies["user"].Cleared {
		t.Errorf("%+v, %v", l, err)
	}
}
