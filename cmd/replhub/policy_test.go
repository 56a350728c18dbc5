package main

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

func policies() contract.Policies {
	return contract.Policies{Policies: []contract.PolicyStatus{
		{Entity: "payment", Rev: 6, Problem: "the registry does not have it any more"},
		{Entity: "tenant", Rev: 7, Allow: map[string]contract.Grant{}},
		{Entity: "user", Rev: 8, Allow: map[string]contract.Grant{
			"*":       {Fields: []string{"id"}},
			"sharing": {Ops: []string{"create", "update"}, Filter: "data.country == 'DE'"},
		}},
	}}
}

// limited is a service whose interests are under policies.
func limited() contract.LaneStatus {
	s := sharing()
	s.Interests = sharingInterests()
	s.Interests[0].Policy = &contract.InterestPolicy{Rev: 7, State: contract.PolicySuspended, Reason: "the policy does not name the service"}
	s.Interests[1].Policy = &contract.InterestPolicy{Rev: 8, State: contract.PolicyNarrowed, Grant: contract.Grant{Fields: []string{"id"}}}
	return s
}

// TestPolicyFlags: what could allow more than was meant is refused before anything is
// sent.
func TestPolicyFlags(t *testing.T) {
	for name, f := range map[string]policyFlags{
		"ops without allow":    {ops: []string{"s=create"}},
		"filter without allow": {allow: []string{"t=*"}, filter: []string{"s=true"}},
		"no fields":            {allow: []string{"s="}},
		"blank fields":         {allow: []string{"s= "}},
		"no service":           {allow: []string{"=id"}},
		"no value":             {allow: []string{"s"}},
		"twice":                {allow: []string{"s=id", "s=*"}},
		"ops twice":            {allow: []string{"s=id"}, ops: []string{"s=create", "s=delete"}},
		"filter twice":         {allow: []string{"s=id"}, filter: []string{"s=true", "s=false"}},
		"empty filter":         {allow: []string{"s=id"}, filter: []string{"s="}},
		"clear and allow":      {allow: []string{"s=id"}, clear: true},
		"none and clear":       {none: true, clear: true},
		"show and allow":       {allow: []string{"s=id"}, show: true},
	} {
		if req, show, err := f.request("user"); err == nil {
			t.Errorf("%s: %+v, %v", name, req, show)
		}
	}
	f := policyFlags{clear: true}
	if _, _, err := f.request(""); err == nil {
		t.Error("no entity")
	}
}

// A name that is none is refused for what it is a name of.
func TestNameOfAnEntityIsNamedSo(t *testing.T) {
	for verb, field := range map[string]string{contract.VerbPolicy: "field entity", contract.VerbRegister: "field service"} {
		if _, err := controlSubject(verb, "USER"); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v, want %s", verb, err, field)
		}
	}
}

// An ingest without events has a first sequence behind the last one.
func TestStoredText(t *testing.T) {
	for want, i := range map[string]contract.IngestStatus{
		"no events; the next one is 1": {},
		"no events; the next one is 3": {FirstSeq: 3, LastSeq: 2},
		"events 2 to 2":                {FirstSeq: 2, LastSeq: 2},
	} {
		if got := storedText(&i); got != want {
			t.Errorf("%+v: %s, want %s", i, got, want)
		}
	}
}
