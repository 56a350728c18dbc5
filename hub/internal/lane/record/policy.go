package record

import (
	"slices"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Policy is what the policy of an entity's owner allows an interest; immutable. It
// lies beside the definition that the service asked for: copies are made under both,
// and a later policy that allows more brings back what the service asked for.
type Policy struct {
	// Rev is the revision of the policy. A policy replaces one of a lower revision
	// only. 0 is that of no policy, where the hubs require one.
	Rev uint64 `json:"rev"`
	// Suspended says why the service gets nothing; empty where it gets what Grant
	// allows.
	Suspended string `json:"suspended,omitempty"`

	// Grant is what the policy allows; zero where Suspended is set.
	Grant contract.Grant `json:"grant,omitzero"`
}

// Equal reports whether two policies are the same; either may be nil.
func (p *Policy) Equal(other *Policy) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p.Rev == other.Rev && p.Suspended == other.Suspended && p.Grant.Equal(other.Grant)
}

// Limit is what the policy allows, for the match tables; nil without a policy.
func (p *Policy) Limit() (*match.Limit, error) {
	switch {
	case p == nil:
		return nil, nil
	case p.Suspended != "":
		return &match.Limit{}, nil
	}
	return LimitOf(p.Grant)
}

// LimitOf is a grant in the form of the match tables.
func LimitOf(g contract.Grant) (*match.Limit, error) {
	ops, err := parseOps(g.Ops)
	if err != nil {
		return nil, err
	}
	if len(g.Ops) == 0 {
		ops = subjects.Ops()
	}
	return &match.Limit{Ops: subjects.NewOpSet(ops...), Filter: g.Filter, Fields: g.Fields}, nil
}

// WithPolicy returns the state with a policy on the interest in an entity, nil for
// none. Without such an interest the state is unchanged.
func (s State) WithPolicy(entity string, p *Policy) State {
	s = s.Clone()
	if in := s.Find(entity); in != nil {
		in.Policy = p
	}
	return s
}

// LayPolicy lays a policy of a revision, nil for none, over the interest in an entity. Only
// a policy of a higher revision replaces the one in the state.
func (s State) LayPolicy(entity string, rev uint64, p *Policy) (next State, changed bool) {
	in := s.Find(entity)
	if in == nil || s.Dropped || in.Policy != nil && in.Policy.Rev >= rev || p.Equal(in.Policy) {
		return s, false
	}
	return s.WithPolicy(entity, p), true
}

// Behind returns an interest whose policy is older than one that was in force in every
// lane, and that revision; nil without one. The lane began with an older copy of its
// stream: its state may allow more than the service was told.
func (s State) Behind(l *retention.Ledger) (in *Interest, rev uint64) {
	if l == nil || len(l.Policies) == 0 || s.Detached != nil || s.Dropped {
		return nil, 0
	}
	for i := range s.Interests {
		have := uint64(0)
		if p := s.Interests[i].Policy; p != nil {
			have = p.Rev
		}
		if rev := l.Behind(s.Interests[i].Entity, have); rev > 0 {
			return &s.Interests[i], rev
		}
	}
	return nil, 0
}

// hasPolicy reports whether some interest is under a policy.
func (s State) hasPolicy() bool {
	return slices.ContainsFunc(s.Interests, func(in Interest) bool { return in.Policy != nil })
}
