package contract

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// The verbs of policies. replhub.policy.<entity> states or clears the policy of an
// entity; replhub.policies shows policies.
const (
	VerbPolicy   = "policy"
	VerbPolicies = "policies"
)

// AnyService in a policy stands for every service that the policy does not name.
const AnyService = "*"

// AllFields in a grant stands for the whole payload. A grant without fields means the
// same.
const AllFields = "*"

// What a hub allows of an entity without a policy.
const (
	PolicyOpen     = "open"     // everything
	PolicyRequired = "required" // nothing
)

// Grant is what a policy allows one service. The zero Grant allows everything.
type Grant struct {
	// Ops are the operations that the service may get; empty allows all four.
	Ops []string `json:"ops,omitempty"`
	// Filter is a CEL expression that events must pass, beside the filter of the
	// service; empty passes all.
	Filter string `json:"filter,omitempty"`
	// Fields are the JSON paths that the service may see; empty, or AllFields alone,
	// is the whole payload.
	Fields []string `json:"fields,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler. It refuses null, empty lists and an empty
// filter, as of an empty variable in a script: they could be meant to allow nothing, and
// would allow everything.
func (g *Grant) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	if members == nil {
		return errors.New("what a service may have is an object: {} allows everything; leave the service out to allow nothing")
	}
	type plain Grant
	var read plain
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	for name, empty := range map[string]bool{"ops": len(read.Ops) == 0, "fields": len(read.Fields) == 0} {
		if _, stated := members[name]; stated && empty {
			return errors.New(name + " are empty: leave them out to allow all, or leave the service out to allow nothing")
		}
	}
	if _, stated := members["filter"]; stated && strings.TrimSpace(read.Filter) == "" {
		return errors.New("filter is empty: leave it out to pass all events, or leave the service out to allow nothing")
	}
	*g = Grant(read)
	return nil
}

// Equal reports whether two grants are the same, operations and fields in the same
// order.
func (g Grant) Equal(other Grant) bool {
	return slices.Equal(g.Ops, other.Ops) && g.Filter == other.Filter && slices.Equal(g.Fields, other.Fields)
}

// SetPolicy is the request of replhub.policy.<entity>.
type SetPolicy struct {
	// Allow is the whole policy, by service. A service that it does not name gets
	// nothing of the entity.
	Allow map[string]Grant `json:"allow,omitzero"`
	// Clear ends the policy instead: everything is allowed then, unless the hub
	// requires policies.
	Clear bool `json:"clear,omitempty"`
}

// PolicySet is the reply of replhub.policy.<entity>. It comes when the policy is in
// force in every lane.
type PolicySet struct {
	Entity string `json:"entity"`
	// Rev is the policy's revision; later policies of the entity have higher ones.
	Rev   uint64           `json:"rev"`
	Allow map[string]Grant `json:"allow"`
	// Cleared says that the entity has no policy any more.
	Cleared bool `json:"cleared,omitempty"`
	// Services are the services that are registered for the entity, sorted, and
	// LeftOut counts those that did not fit the reply.
	Services []PolicyEffect `json:"services"`
	LeftOut  int            `json:"services_left_out,omitempty"`
	// Warnings are sentences about parts that are hardly meant so. Never null.
	Warnings []string `json:"warnings"`
}

// PolicyEffect is what a policy means for a service that is registered.
type PolicyEffect struct {
	Service string `json:"service"`
	// State is one of the Policy constants.
	State string `json:"state"`
	// Reason says why the service gets nothing; empty where it gets something.
	Reason string `json:"reason,omitempty"`
	// Epoch and Seq are the ingest position from which the policy holds for live
	// events. For older events and rows that are still being copied, it holds as well.
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Effects of a policy on an interest.
const (
	PolicyFull      = "full"      // the service gets what it asks for
	PolicyNarrowed  = "narrowed"  // the service gets a part of what it asks for
	PolicySuspended = "suspended" // the service gets nothing
)

// ListPolicies is the request of replhub.policies.
type ListPolicies struct {
	// Entity asks for one policy.
	Entity string `json:"entity,omitempty"`
	// After is the entity that the page begins behind, and Limit bounds its policies;
	// DefaultPage by default.
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

// Policies is the reply of replhub.policies.
type Policies struct {
	// Required says that this hub allows nothing of an entity without a policy.
	Required bool           `json:"required"`
	Policies []PolicyStatus `json:"policies"`
	// Next is the After of the next page; empty at the end.
	Next string `json:"next,omitempty"`
}

// PolicyStatus is one policy.
type PolicyStatus struct {
	Entity string           `json:"entity"`
	Rev    uint64           `json:"rev"`
	Allow  map[string]Grant `json:"allow"`
	// Problem says why the policy cannot be applied to new registrations, in a
	// sentence; empty where it can. What is in force in the lanes stays.
	Problem string `json:"problem,omitempty"`
}

// InterestPolicy is what the policy of an entity's owner means for an interest that
// is in force.
type InterestPolicy struct {
	Rev uint64 `json:"rev"`
	// State is one of the Policy constants, and Reason says why the service gets
	// nothing.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Grant is what the policy allows; it is zero, without a meaning, where the state is
	// PolicySuspended.
	Grant Grant `json:"grant"`
}
