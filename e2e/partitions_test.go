package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/bank/audit"
	"github.com/replhub/replhub/e2e/bank/stage"
	"github.com/replhub/replhub/e2e/harness"
)

const (
	partitions = 16
	// sharedWithin is how soon after a step no instance has more than its share: five
	// seconds are promised. The gate allows twice as much, since it may run on a machine
	// whose processes take seconds to start.
	sharedWithin = 10 * time.Second
	// frozenFor is how long an instance is stopped.
	frozenFor = 10 * time.Second
)

// TestPartitionsFollowTheInstances has the instances of a service that is
// ordered by key come and go, be killed and be stopped, while changes come all
// the time. Who handled what is judged by a table that all instances write.
func TestPartitionsFollowTheInstances(t *testing.T) {
	s := newShift(t, "", 300)
	first := s.bank.Instances("ledger")[0]
	s.settle("one starts")
	s.step()
	second, third := s.bank.Hire("ledger"), s.bank.Hire("ledger")
	s.bank.Hire("ledger")
	s.settle("three more start")
	s.step()
	second.Kill()
	s.settle("one is killed", second)
	s.step()
	second.Start()
	s.settle("it starts again")
	s.at = third.Freeze(t.Context())
	s.settle("one is stopped", third)
	s.world.Let(time.Until(time.Unix(0, s.at).Add(frozenFor)))
	s.step()
	freeze := third.Thaw()
	s.settle("it goes on")
	s.step()
	first.Kill()
	s.settle("the first is killed", first)
	shares := s.judge(t)
	s.judgeLate(t, freeze)
	for _, v := range append(s.verdicts, shares) {
		if err := v.Err(); err != nil {
			t.Error(err)
		}
	}
}

// shift is a bank at work whose ledger has one instance at first.
type shift struct {
	t        *testing.T
	world    *harness.World
	bank     *stage.Bank
	at       int64 // the step that is under way
	steps    []audit.Step
	verdicts []*audit.Verdict
	replica  *audit.Replica
}

func newShift(t *testing.T, without string, keys int) *shift {
	t.Helper()
	s := &shift{t: t, world: harness.New(t, harness.Options{Binary: binary})}
	bank, hub := buildBank(t), s.world.StartHub("h1")
	s.bank = stage.Open(t, s.world, hub, stage.Config{
		Binary: bank, Keys: keys, Rate: 400, Publishers: 1, Relays: 1, Instances: 1, Partitions: partitions, Workers: 16,
		Services: []string{"ledger"}, Shared: true, Think: 20 * time.Millisecond, Without: without,
	})
	s.step() // the instance was the last to start
	return s
}

// step notes that instances are about to come or go.
func (s *shift) step() { s.at = time.Now().UnixNano() }

// live are the instances that are there, but for those named.
func (s *shift) live(but ...*stage.Instance) []string {
	s.t.Helper()
	var names []string
	for _, i := range s.bank.Instances("ledger") {
		if !slices.ContainsFunc(but, func(b *stage.Instance) bool { return b.Name() == i.Name() }) {
			names = append(names, i.Name())
		}
	}
	return names
}

// settle waits until the partitions are spread over the instances, and then for
// a second in which they have to stay so.
func (s *shift) settle(what string, but ...*stage.Instance) {
	s.t.Helper()
	live := s.live(but...)
	s.steps = append(s.steps, audit.Step{What: what, At: s.at, Live: live})
	s.world.Eventually(what+": the shares", 4*sharedWithin, func() error {
		holders := s.bank.Holders(s.t.Context(), "ledger")
		has := make(map[string]int)
		for p, who := range holders {
			if has[who]++; !slices.Contains(live, who) || has[who] > (partitions+len(live)-1)/len(live) {
				return fmt.Errorf("partition %d is with %q: %v", p, who, holders)
			}
		}
		return nil
	})
	s.world.Let(time.Second)
}

// judge ends the shift and returns what is to be said of the shares.
func (s *shift) judge(t *testing.T) *audit.Verdict {
	t.Helper()
	until := time.Now().UnixNano()
	s.bank.Settle(s.t.Context())
	s.verdicts = s.bank.Audit(s.t.Context())
	s.replica = s.bank.Replica(s.t.Context(), "ledger")
	for _, v := range s.verdicts {
		t.Logf("%s; %d rows, %d effects, %d handlers %v, %d overlaps excused", v.Counts(), v.Rows, v.Effects, v.Handlings, v.Outcomes, v.Excused)
	}
	shares, settled := audit.JudgeShares(s.replica, partitions, s.steps, until, sharedWithin)
	for _, step := range settled {
		t.Logf("%s: shares after %s: %v", step.What, step.Took.Round(time.Millisecond), step.Shares)
	}
	return shares
}

// judgeLate looks at the handlers that a stop interrupted: what had not been
// made by then, others have made meanwhile.
func (s *shift) judgeLate(t *testing.T, f audit.Freeze) {
	t.Helper()
	late := make(map[string]int)
	for _, h := range s.replica.Handlings {
		if h.Instance == f.Instance && h.Begin < f.To && h.End > f.To {
			late[h.Outcome]++
		}
	}
	t.Logf("late effects of the stopped: %v", late)
	if late["stale"]+late["duplicate"] == 0 {
		t.Errorf("no late effect of the stopped was refused: %v", late)
	}
}
