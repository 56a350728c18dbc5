//go:build long

package e2e_test

import (
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/bank/audit"
	"github.com/replhub/replhub/e2e/bank/stage"
)

// TestBankGoesRedWithout takes one mechanism out at a time: the audit that finds
// nothing wrong with the bank must find what is wrong then. In the gate, tests of
// package audit alone hold that it does.
func TestBankGoesRedWithout(t *testing.T) {
	bank := buildBank(t)
	for _, c := range []struct {
		without string
		// must are what has to be found, in any service.
		must   []audit.Kind
		faults stage.Faults
	}{
		{"inbox", []audit.Kind{audit.Twice, audit.Backwards}, stage.Faults{Relays: 1, Instances: 6, Servers: 1}},
		{"exclusivity", []audit.Kind{audit.Overlapping, audit.Disordered}, stage.Faults{Instances: 2}},
		{"outbox", []audit.Kind{audit.Phantom, audit.Lost}, stage.Faults{Publishers: 12}},
	} {
		t.Run(c.without, func(t *testing.T) {
			found := make(map[audit.Kind]int)
			for _, v := range bankRun(t, stage.Config{
				Binary: bank, Changes: 5000, Rate: 1000, Keys: 50, Batches: true, Seed: 1, Without: c.without, Faults: c.faults,
			}) {
				for kind, n := range v.Found {
					found[kind] += n
				}
			}
			for _, kind := range c.must {
				if found[kind] == 0 {
					t.Errorf("nothing found that is %s without the %s: %v", kind, c.without, found)
				}
			}
		})
	}
}

// Where all instances compete for all partitions, the audit must find it.
func TestPartitionsGoRedWithoutExclusivity(t *testing.T) {
	s := newShift(t, "exclusivity", 50) // few, so that a key's changes come close
	s.bank.Hire("ledger")
	s.bank.Hire("ledger")
	s.world.Let(sharedWithin + time.Second)
	s.steps = append(s.steps, audit.Step{What: "three start", At: s.at, Live: s.live()})
	found := s.judge(t).Found
	for _, v := range s.verdicts {
		for kind, n := range v.Found {
			found[kind] += n
		}
	}
	for _, kind := range []audit.Kind{audit.Unshared, audit.Overlapping, audit.Disordered} {
		if found[kind] == 0 {
			t.Errorf("nothing found that is %s: %v", kind, found)
		}
	}
}
