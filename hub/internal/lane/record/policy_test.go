package record_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

// TestRecordWithAPolicy: its form is one that a hub which knows no policies does not
// touch, also while rows are copied, and none of it is lost.
func TestRecordWithAPolicy(t *testing.T) {
	in := record.Interest{ID: "a", Entity: "user", Definition: contract.Definition{Ops: []string{"create"}}}
	s := record.State{Interests: []record.Interest{in}, Phase: record.Live}.WithPolicy("user", &record.Policy{Rev: 7, Grant: contract.Grant{Fields: []string{"id"}, Filter: "data.a == 1 && true"}})
	for _, s := range []record.State{s, s.Backfill(in, record.Backfill{ID: "b"})} {
		data, err := record.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(data), `{"v":5,`) {
			t.Errorf("%s", data)
		}
		read, err := record.Decode(data)
		if err != nil || !read.Interests[0].Policy.Equal(s.Interests[0].Policy) {
			t.Errorf("%+v, %v", read.Interests, err)
		}
	}
	if data, err := record.Encode(s.WithPolicy("user", nil)); err != nil || !strings.HasPrefix(string(data), `{"v":1,`) {
		t.Errorf("without a policy: %s, %v", data, err)
	}
	if s.WithPolicy("user", nil); s.Interests[0].Policy == nil {
		t.Error("a state is not a value")
	}
}

// TestEffects holds what an interest gets under a policy, in a word.
func TestEffects(t *testing.T) {
	interest := func(fields []string, filter string, p *record.Policy) record.Interest {
		return record.Interest{Entity: "user", Definition: contract.Definition{Ops: []string{"create", "update", "delete"}, Fields: fields, Filter: filter}, Policy: p}
	}
	grant := func(fields, ops []string, filter string) *record.Policy {
		return &record.Policy{Rev: 1, Grant: contract.Grant{Fields: fields, Ops: ops, Filter: filter}}
	}
	for _, tt := range []struct {
		in   record.Interest
		want string
	}{
		{interest(nil, "", nil), ""},
		{interest(nil, "", grant(nil, nil, "")), contract.PolicyFull},
		{interest([]string{"id"}, "data.id == 1", grant([]string{"id", "name"}, nil, "")), contract.PolicyFull},
		{interest(nil, "", grant([]string{"id"}, nil, "")), contract.PolicyNarrowed},
		{interest([]string{"id", "name"}, "", grant([]string{"id"}, nil, "")), contract.PolicyNarrowed},
		{interest(nil, "", grant(nil, []string{"create"}, "")), contract.PolicyNarrowed},
		{interest(nil, "", grant(nil, nil, "data.a == 1")), contract.PolicyNarrowed},
		{interest(nil, "", grant(nil, []string{"read"}, "")), contract.PolicySuspended},
		{interest([]string{"name"}, "data.salary > 1", grant([]string{"id"}, nil, "")), contract.PolicySuspended},
		{interest(nil, "", &record.Policy{Rev: 1, Suspended: "x"}), contract.PolicySuspended},
	} {
		state, reason := tt.in.Effect()
		if state != tt.want || (reason != "") != (state == contract.PolicySuspended) {
			t.Errorf("%+v under %+v: %s, %s; want %s", tt.in.Definition, tt.in.Policy, state, reason, tt.want)
		}
	}
}
