package contract_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

// A slip must not open a policy.
func TestPolicyIsNotOpenedByASlip(t *testing.T) {
	for request, says := range map[string]string{
		`{"allow":{"sharing":{"fields":["id"]},"sharing":{}}}`:                            "allow.sharing: it is there twice",
		`{"allow":{"sharing":{"fields":["id"]},"\u0073haring":{}}}`:                       "allow.sharing: it is there twice",
		`{"allow":{},"allow":{"*":{}}}`:                                                   "allow: it is there twice",
		`{"allow":{"sharing":{"fields":["id"],"fields":["*"]}}}`:                          "allow.sharing.fields: it is there twice",
		`{"allow":{"sharing":{"filter":"data.a == 1","ops":["create"],"filter":"true"}}}`: "allow.sharing.filter: it is there twice",
		`{"allow":{"sharing":{"filter":""}}}`:                                             "filter is empty",
		`{"allow":{"sharing":{"filter":" \t"}}}`:                                          "filter is empty",
		`{"allow":{"sharing":{"filter":null}}}`:                                           "filter is empty",
		`{"allow":{"sharing":{"ops":[]}}}`:                                                "ops are empty",
		`{"allow":{"sharing":null}}`:                                                      "what a service may have is an object",
	} {
		var req contract.SetPolicy
		if err := contract.Decode([]byte(request), &req); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", request, err, says)
		}
	}
	var req contract.SetPolicy
	if err := contract.Decode([]byte(`{"allow":{"a":{},"b":{"fields":["id"],"filter":"true"}}}`), &req); err != nil || len(req.Allow) != 2 {
		t.Errorf("%+v, %v", req, err)
	}
}
