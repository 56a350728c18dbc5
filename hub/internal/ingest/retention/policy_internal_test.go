package retention

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestLedgerWithPolicies: a ledger that marks policies has a form of its own, which a hub
// that knows no policies refuses.
func TestLedgerWithPolicies(t *testing.T) {
	l := Ledger{Policies: map[string]PolicyMark{"user": {Rev: 5}}}
	data, err := Encode(l)
	if want := `{"v":2,"epochs":null,"floor":0,"policies":{"user":{"rev":5}}}`; err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
	read, err := Decode(data)
	if err != nil || read.Policies["user"].Rev != 5 {
		t.Errorf("%+v, %v", read, err)
	}
	c := l.clone()
	c.Policies["tenant"] = PolicyMark{Rev: 1}
	if len(l.Policies) != 1 {
		t.Error("a clone shares its marks")
	}
	var behind Ledger
	if !behind.recallPolicies(&Ledger{Policies: map[string]PolicyMark{"user": {Rev: 5}}}) || behind.Policies["user"].Rev != 5 {
		t.Error("a mark is not recalled")
	}
	if behind.recallPolicies(&Ledger{Policies: map[string]PolicyMark{"user": {Rev: 4, Cleared: true}}}) || behind.Policies["user"].Rev != 5 {
		t.Error("an older mark is recalled")
	}
}

// A hub that did not know of a policy may store a deleted ledger again, with a count of
// pinnings above that of the hubs which do know. These add the mark. A mark that was
// forgotten in the same ledger does not come back.
func TestPoliciesAreRecalled(t *testing.T) {
	epochs := []Range{{Epoch: 1, First: 1, Created: time.Unix(1, 0)}}
	known := &Ledger{Epochs: epochs, Pinnings: 6, Policies: map[string]PolicyMark{"user": {Rev: 5, InForce: 5}}}
	again := Ledger{Epochs: epochs, Pinnings: 1000, Replaced: 7}
	got, improved := Read{Known: known, Revision: 1, Ledger: again}.latest()
	if !improved || got.Behind("user", 4) != 5 || again.Replaces(&got) {
		t.Errorf("a ledger that was stored again has %v, and replaces that: %v", got.Policies, again.Replaces(&got))
	}
	now, improved := Read{Known: &got, Revision: 2, Ledger: got}.latest()
	if improved || now.Behind("user", 4) != 5 {
		t.Errorf("then %v, changed %v", now.Policies, improved)
	}
	// Another answer was on its way meanwhile.
	if now, improved = (Read{Known: known, Revision: 1, Ledger: again}).Beside(known, &got).latest(); !improved || now.Behind("user", 4) != 5 {
		t.Errorf("of an older answer: %v", now.Policies)
	}
	same := Ledger{Epochs: epochs, Pinnings: 1000, Lost: 7}
	if now, improved = (Read{Known: known, Revision: 1, Ledger: same}).latest(); improved || len(now.Policies) > 0 {
		t.Errorf("the same ledger has %v", now.Policies)
	}
}

// TestRegistrationsUnderWay: those that may still be at work are waited for; the lanes of
// those whose hub gave up are fenced.
func TestRegistrationsUnderWay(t *testing.T) {
	now := time.Unix(10_000, 0)
	set := func(age time.Duration) Pin { return Pin{Seq: 1, Until: now.Add(pinTTL - age)} }
	l := Ledger{Pins: map[string]Pin{"a/1": set(time.Second), "b/1": set(time.Minute), "c/1": set(pinTTL + time.Hour)}}
	working, left := l.UnderWay(now, 27*time.Second)
	var names []string
	for _, service := range left {
		names = append(names, service.String())
	}
	if len(working) != 1 || working["a/1"] != l.Pins["a/1"] || !slices.Equal(names, []string{"b", "c"}) {
		t.Errorf("%v, %v", working, names)
	}
	if !l.StillPinned(working) {
		t.Error("ended without an end")
	}
	l.Pins["a/1"] = set(0) // a later interest of the same registration began lower
	if !l.StillPinned(working) {
		t.Error("ended by another pin")
	}
	delete(l.Pins, "a/1")
	if l.StillPinned(working) {
		t.Error("waits for one that has ended")
	}
}

// TestRoomForPolicies: the marks of policies are bounded by what they take of the ledger.
func TestRoomForPolicies(t *testing.T) {
	l := Ledger{Policies: map[string]PolicyMark{"user": {Rev: 1<<64 - 1, Sum: "0123456789abcdef", InForce: 1<<64 - 1}}}
	mark := func(entity string, most int) error {
		step := MarkPolicy(entity, PolicyMark{Rev: 7}, most, func(PolicyMark, Ledger) Step { return Done{} })
		step = step.(ReadLedger).Then(Read{Ledger: l, Revision: 1})
		if done, over := step.(Done); over {
			return done.Err
		}
		return nil
	}
	room := l.policyRoom()
	if data, err := Encode(l); err != nil || len(data) > room+len(`{"v":2,"epochs":null,"floor":0,"policies":{}}`) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := mark("tenant", room+policyBytes); !errors.Is(err, ErrPolicies) {
		t.Error(err)
	}
	if err := mark("tenant", room+policyBytes+len("tenant")); err != nil {
		t.Error(err)
	}
	if err := mark("user", 0); err != nil {
		t.Error("one that has a mark:", err)
	}
}
