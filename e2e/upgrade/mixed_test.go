package upgrade_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// secrets counts the copies behind a user whose payload has the member that a policy hides.
func (w *world) secrets(service string, behind int) (n int) {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), "SUB_"+service)
	if err != nil {
		w.t.Fatal(err)
	}
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(w.t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		var user struct {
			N      int
			Secret string
		}
		if strings.HasSuffix(m.Subject, "._state") {
			continue
		}
		if err := json.Unmarshal(m.Data, &user); err != nil {
			w.t.Fatal(err)
		}
		if user.N > behind && user.Secret != "" {
			n++
		}
	}
	return n
}

// tenants publishes events of an entity without a policy, and waits until a service has them.
func (w *world) tenants(service string, first, last int) {
	w.t.Helper()
	for n := first; n <= last; n++ {
		if _, err := w.js.Publish(w.t.Context(), "db.tenant.update", fmt.Appendf(nil, `{"id":"t%d","n":%d}`, n, n)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.await(service+" has its tenants", func() error {
		got, err := w.copies(service)
		if err == nil && len(got) != last {
			err = fmt.Errorf("it has %d of %d", len(got), last)
		}
		return err
	})
}

// A policy is in force while a hub runs that knows of none. That hub does not touch the lane
// under the policy, and goes on with the others. What it registers meanwhile is put under the
// policy by the newer hub. Each event comes once, and nothing that the policy hides.
func TestPolicyBesideAnOlderHub(t *testing.T) {
	if previousKnows(t, "policy") {
		return
	}
	w := newWorld(t)
	w.hub(binaries.before, "old")
	w.register("limited", `{"entities":["user"]}`)
	w.register("free", `{"entities":["tenant"]}`)
	w.publish(50)
	upgraded := w.hub(binaries.now, "upgraded")
	w.publish(50)
	w.command(binaries.now, "policy", "user", "--allow", "limited=id,n")
	narrowed := w.published
	w.publish(50)
	everything := func(int) bool { return true }
	w.holds("limited", everything)
	w.tenants("free", 1, 20)

	// The older hub alone.
	if err := upgraded.Freeze(); err != nil {
		t.Fatal(err)
	}
	w.register("late", `{"entities":["user"]}`)
	before, err := w.copies("limited")
	if err != nil {
		t.Fatal(err)
	}
	w.publish(30)
	w.tenants("free", 21, 40)
	if now, err := w.copies("limited"); err != nil || len(now) != len(before) {
		t.Errorf("the older hub made %d copies under a policy (%v)", len(now)-len(before), err)
	}

	// Both again.
	if err := upgraded.Thaw(); err != nil {
		t.Fatal(err)
	}
	w.await("the registration of the older hub to be under the policy", func() error { return w.limited("late") })
	behind := w.published
	w.publish(20)
	w.holds("limited", everything)
	w.tenants("free", 41, 60)
	for service, behind := range map[string]int{"limited": narrowed, "late": behind} {
		if n := w.secrets(service, behind); n > 0 {
			t.Errorf("%s has %d copies with what the policy hides", service, n)
		}
	}
}

// limited returns an error unless a lane's newest state record is under a policy.
func (w *world) limited(service string) error {
	stream, err := w.js.Stream(w.t.Context(), "SUB_"+service)
	if err != nil {
		return err
	}
	m, err := stream.GetLastMsgForSubject(w.t.Context(), "sub."+service+"._state")
	if err != nil {
		return err
	}
	if !strings.Contains(string(m.Data), `"policy"`) {
		return fmt.Errorf("its record is %s", m.Data)
	}
	return nil
}

// Two hubs lend each other lanes, and a hub comes that knows of no loans, and goes. Whoever
// dies meanwhile, each event comes once to each lane.
func TestLoansBesideAnOlderHub(t *testing.T) {
	if previousKnows(t, "lend") {
		return
	}
	w := newWorld(t)
	const shared = "REPLHUB_OWN_ALL=false"
	w.hub(binaries.now, "one", shared)
	two := w.hub(binaries.now, "two", shared)
	const services = 9
	for i := range services {
		w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
	}
	w.publish(100)
	old := w.hub(binaries.before, "old", shared)
	w.publish(100)
	if err := two.Kill(); err != nil {
		t.Fatal(err)
	}
	w.publish(100)
	w.hub(binaries.now, "three", shared)
	w.publish(100)
	if err := old.Terminate(within); err != nil {
		t.Fatal(err)
	}
	w.publish(100)
	for i := range services {
		w.holds(fmt.Sprintf("s%d", i), func(int) bool { return true })
	}
}
