package record

import (
	"fmt"
	"slices"

	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Effect is what an interest's policy means for it: one of the contract.Policy
// constants, and why the service gets nothing. Without a policy it is empty.
func (in Interest) Effect() (state, reason string) {
	p := in.Policy
	if p == nil {
		return "", ""
	}
	if p.Suspended != "" {
		return contract.PolicySuspended, p.Suspended
	}
	limit, err := p.Limit()
	if err != nil {
		return contract.PolicySuspended, err.Error()
	}
	asked, err := parseOps(in.Ops)
	if err != nil {
		return contract.PolicySuspended, err.Error()
	}
	if !slices.ContainsFunc(asked, limit.Ops.Has) {
		return contract.PolicySuspended, fmt.Sprintf("the policy allows %s of %v only", in.Entity, limit.Ops.Ops())
	}
	def := match.Definition{Filter: in.Filter, Fields: in.Fields}
	if match.Apart(def, *limit) {
		return contract.PolicySuspended, "the policy allows none of the fields that the interest names; register others"
	}
	field, text := match.Outside(def, asked, *limit)
	switch {
	case field == "filter":
		return contract.PolicySuspended, fmt.Sprintf("the interest's filter names %s, which the policy hides; register a filter without it", text)
	case field != "", len(limit.Fields) > 0 && len(in.Fields) == 0, limit.Filter != "" && !slices.Equal(asked, []subjects.Op{subjects.Delete}):
		return contract.PolicyNarrowed, ""
	}
	return contract.PolicyFull, ""
}
