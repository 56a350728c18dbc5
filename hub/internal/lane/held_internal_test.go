package lane

import (
	"testing"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// TestLaneLacksAPolicy: a lane is held whose policy is older than one that was in force.
// It is not held for a policy that is only begun, nor after the policy's end.
func TestLaneLacksAPolicy(t *testing.T) {
	with := func(p *record.Policy) State {
		return State{Interests: []Interest{{ID: "b", Entity: "tenant"}, {ID: "a", Entity: "user", Policy: p}}}
	}
	for name, tt := range map[string]struct {
		mark  retention.PolicyMark
		state State
		holds bool
	}{
		"none in the lane":   {retention.PolicyMark{Rev: 5, InForce: 5}, with(nil), true},
		"an older one":       {retention.PolicyMark{Rev: 5, InForce: 5}, with(&record.Policy{Rev: 4}), true},
		"the one in force":   {retention.PolicyMark{Rev: 5, InForce: 5}, with(&record.Policy{Rev: 5}), false},
		"the next is begun":  {retention.PolicyMark{Rev: 6, InForce: 5}, with(&record.Policy{Rev: 5}), false},
		"the next was laid":  {retention.PolicyMark{Rev: 6, InForce: 5}, with(&record.Policy{Rev: 6}), false},
		"the first is begun": {retention.PolicyMark{Rev: 5}, with(nil), false},
		"cleared":            {retention.PolicyMark{Rev: 6, Cleared: true}, with(nil), false},
		"no interest in it":  {retention.PolicyMark{Rev: 5, InForce: 5}, State{Interests: []Interest{{ID: "b", Entity: "tenant"}}}, false},
		"dropped":            {retention.PolicyMark{Rev: 5, InForce: 5}, State{Dropped: true, Interests: with(nil).Interests}, false},
	} {
		ledger := &retention.Ledger{Policies: map[string]retention.PolicyMark{"user": tt.mark}}
		if got := lacks(ledger, tt.state); (got != "") != tt.holds {
			t.Errorf("%s: %q", name, got)
		}
	}
	if lacks(nil, with(nil)) != "" {
		t.Error("held without a ledger")
	}
}
