package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lane/record"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
)

// TestOnlyANewerPolicyWidens: what is in force changes by a policy that was read and is
// newer, and by nothing else. A new interest is refused where the policy is not known.
func TestOnlyANewerPolicyWidens(t *testing.T) {
	allow := map[string]contract.Grant{"s": {Fields: []string{"id"}}}
	wide := map[string]contract.Grant{"*": {}}
	rec := func(rev uint64, allow map[string]contract.Grant) registry.FoundPolicy {
		return registry.FoundPolicy{Is: true, Policy: registry.NewPolicy(rev, allow)}
	}
	mark := func(rev uint64, allow map[string]contract.Grant) retention.PolicyMark {
		return retention.PolicyMark{Rev: rev, Sum: sum(allow)}
	}
	ended := func(rev uint64) retention.PolicyMark { return retention.PolicyMark{Rev: rev, Cleared: true} }
	five := &record.Policy{Rev: 5, Grant: allow["s"]}
	open := &record.Policy{Rev: 6}
	shut := &record.Policy{Rev: 5, Suspended: notNamed}
	required := &record.Policy{Suspended: noPolicy}
	closed := &record.Policy{Rev: 6, Suspended: noPolicy}
	for name, tt := range map[string]struct {
		known    known
		have     *record.Policy
		required bool
		// next is what an interest in force of s gets, fresh what a new one gets; nil with
		// refused where it is refused.
		next, fresh *record.Policy
		refused     bool
	}{
		"no policy":                         {},
		"no policy, required":               {required: true, next: required, fresh: required},
		"required, and suspended already":   {required: true, have: required, next: required, fresh: required},
		"no longer required":                {have: required, next: required},
		"the first policy":                  {known: known{record: rec(5, allow), mark: mark(5, allow)}, next: five, fresh: five},
		"not named":                         {known: known{record: rec(5, map[string]contract.Grant{"t": {}}), mark: mark(5, map[string]contract.Grant{"t": {}})}, next: shut, fresh: shut},
		"a newer policy":                    {known: known{record: rec(6, wide), mark: mark(6, wide), inLanes: 5}, have: five, next: open, fresh: open},
		"the same policy":                   {known: known{record: rec(5, allow), mark: mark(5, allow), inLanes: 5}, have: five, next: five, fresh: five},
		"an older record":                   {known: known{record: rec(4, wide), mark: mark(5, allow), inLanes: 5}, have: five, next: five, refused: true},
		"an older record, and a new ledger": {known: known{record: rec(4, wide), inLanes: 5}, have: five, next: five, refused: true},
		"no record":                         {known: known{mark: mark(5, allow), inLanes: 5}, have: five, next: five, refused: true},
		"no record for one without":         {known: known{mark: mark(5, allow)}, refused: true},
		"nothing but a lane":                {known: known{inLanes: 5}, have: five, next: five, refused: true},
		"a ledger behind the record":        {known: known{record: rec(6, wide), mark: mark(5, allow), inLanes: 5}, have: five, next: open, fresh: open},
		"a ledger that was lost":            {known: known{record: rec(5, allow)}, next: five, fresh: five},
		"written by hand":                   {known: known{record: rec(0, wide), mark: mark(5, allow)}, have: five, next: five, refused: true},
		"edited by hand":                    {known: known{record: rec(5, wide), mark: mark(5, allow)}, have: five, next: five, refused: true},
		"no policy in the record":           {known: known{record: registry.FoundPolicy{Is: true, Problem: "x"}, mark: mark(5, allow)}, have: five, next: five, refused: true},
		"cleared":                           {known: known{mark: ended(6), inLanes: 5}, have: five},
		"cleared, required":                 {known: known{mark: ended(6), inLanes: 5}, have: five, required: true, next: closed, fresh: closed},
		"a revision beyond the clock":       {known: known{record: rec(1<<64-1, wide), mark: mark(5, allow), inLanes: 5, latest: 9}, have: five, next: five, refused: true},
		"a clock that went back":            {known: known{record: rec(5, allow), mark: mark(5, allow), inLanes: 5, latest: 3}, have: five, next: five, fresh: five},
		"cleared before an older record":    {known: known{record: rec(5, allow), mark: ended(6), inLanes: 5}, have: five},
		"stated again after the end":        {known: known{record: rec(7, allow), mark: mark(7, allow), inLanes: 0}, next: &record.Policy{Rev: 7, Grant: allow["s"]}, fresh: &record.Policy{Rev: 7, Grant: allow["s"]}},
	} {
		if got := tt.known.of("s", tt.have, tt.required); !got.Equal(tt.next) {
			t.Errorf("%s: in force %+v, want %+v", name, got, tt.next)
		}
		got, err := tt.known.forNew("user", "s", tt.required)
		if (err != nil) != tt.refused || !got.Equal(tt.fresh) {
			t.Errorf("%s: a new one %+v, %v; want %+v", name, got, err, tt.fresh)
		}
		if (tt.known.problem("user") != "") != tt.refused {
			t.Errorf("%s: problem %q", name, tt.known.problem("user"))
		}
	}
}

// TestClearedPolicyIsRemembered: the mark of a cleared policy stays while a lane holds the
// policy, and for a while after the end.
func TestClearedPolicyIsRemembered(t *testing.T) {
	ended := time.Unix(1000, 0)
	mark := retention.PolicyMark{Rev: uint64(ended.UnixMicro()), Cleared: true}
	for name, tt := range map[string]struct {
		known known
		after time.Duration
		over  bool
	}{
		"at once":          {known{mark: mark}, time.Second, false},
		"after a while":    {known{mark: mark}, time.Hour, true},
		"in a lane":        {known{mark: mark, inLanes: 5}, time.Hour, false},
		"and stated again": {known{mark: retention.PolicyMark{Rev: mark.Rev}}, time.Hour, false},
	} {
		if got := tt.known.over(ended.Add(tt.after)); got != tt.over {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestOrdersAreLaid: an order replaces a policy of a lower revision only.
func TestOrdersAreLaid(t *testing.T) {
	with := func(p *record.Policy) lane.State {
		return lane.State{Interests: []lane.Interest{{ID: "a", Entity: "user", Policy: p}, {ID: "b", Entity: "tenant"}}}
	}
	five, six := &record.Policy{Rev: 5}, &record.Policy{Rev: 6, Suspended: notNamed}
	for name, tt := range map[string]struct {
		state   lane.State
		order   order
		changed bool
		want    *record.Policy
	}{
		"the first":          {with(nil), order{Entity: "user", Rev: 5, Policy: five}, true, five},
		"a later one":        {with(five), order{Entity: "user", Rev: 6, Policy: six}, true, six},
		"the same":           {with(five), order{Entity: "user", Rev: 5, Policy: five}, false, five},
		"an earlier one":     {with(six), order{Entity: "user", Rev: 5, Policy: five}, false, six},
		"the end":            {with(five), order{Entity: "user", Rev: 6}, true, nil},
		"an earlier end":     {with(six), order{Entity: "user", Rev: 5}, false, six},
		"no policy at all":   {with(nil), order{Entity: "user", Rev: 6}, false, nil},
		"another's interest": {with(nil), order{Entity: "payment", Rev: 6, Policy: six}, false, nil},
		"late, after an end": {with(&record.Policy{Rev: 6, Suspended: noPolicy}), order{Entity: "user", Rev: 5, Policy: five}, false, &record.Policy{Rev: 6, Suspended: noPolicy}},
		"a fence":            {with(five), order{Entity: "user", Rev: 5, Policy: five, Fence: true}, true, five},
		"a dropped lane":     {lane.State{Dropped: true}, order{Entity: "user", Rev: 5, Policy: five, Fence: true}, false, nil},
	} {
		next, changed := tt.order.lay(tt.state)
		var got *record.Policy
		if in := next.Find("user"); in != nil {
			got = in.Policy
		}
		if changed != tt.changed || !got.Equal(tt.want) {
			t.Errorf("%s: %v, %+v", name, changed, got)
		}
		if in := next.Find("tenant"); in != nil && in.Policy != nil {
			t.Errorf("%s: another interest too", name)
		}
	}
}

// TestPoliciesAreChecked: a policy with a fault in one place states nothing.
func TestPoliciesAreChecked(t *testing.T) {
	for request, field := range map[string]string{
		`{"allow":{"s":{"fieldz":["id"]}}}`:                              "allow.s.fieldz",
		`{"allow":{"S":{}}}`:                                             "allow.S",
		`{"allow":{"a":{},"s":{"fields":["id","id.x"]}}}`:                "allow.s.fields[1]",
		`{"allow":{"s":{"fields":["*","id"]}}}`:                          "allow.s.fields",
		`{"allow":{"s":{"ops":["create","destroy"]}}}`:                   "allow.s.ops[1]",
		`{"allow":{"s":{"filter":"data.x =="}}}`:                         "allow.s.filter",
		`{"allow":{"s":{"filter":"1 + 1"}}}`:                             "allow.s.filter",
		`{"allow":{"s":null}}`:                                           "",
		`{"allow":{"s":{"fields":[]}}}`:                                  "",
		`{"allow":{"s":{"fields":null}}}`:                                "",
		`{"allow":{"s":{"ops":[]}}}`:                                     "",
		`{"allow":{"s":["id"]}}`:                                         "",
		`{"allow":{"s":{"filter":"` + strings.Repeat("x", 5000) + `"}}}`: "allow.s.filter",
	} {
		var req contract.SetPolicy
		err := contract.Decode([]byte(request), &req)
		if err == nil {
			_, _, err = parse(req.Allow)
		}
		refusal, ok := errors.AsType[*contract.Error](err)
		if !ok || field != "" && refusal.Field != field {
			t.Errorf("%s: %v, want %s", request, err, field)
		}
	}
	var req contract.SetPolicy
	if err := contract.Decode([]byte(`{"allow":{"*":{"fields":["*"]},"s":{"ops":["update","create"],"filter":"data.a == 1"}}}`), &req); err != nil {
		t.Fatal(err)
	}
	allow, warnings, err := parse(req.Allow)
	want := map[string]contract.Grant{"*": {}, "s": {Ops: []string{"create", "update"}, Filter: "data.a == 1"}}
	if err != nil || len(allow) != 2 || !allow["*"].Equal(want["*"]) || !allow["s"].Equal(want["s"]) || len(warnings) != 2 {
		t.Errorf("%+v, %q, %v", allow, warnings, err)
	}
}

// TestPolicyRecords: what is no policy is a problem, and never an open one.
func TestPolicyRecords(t *testing.T) {
	for value, want := range map[string]struct{ is, problem bool }{
		``: {}, ` `: {}, `""`: {},
		`{"v":1,"allow":{}}`:                     {is: true},
		`{"allow":{"s":{}}}`:                     {is: true},
		`{"v":1}`:                                {is: true, problem: true},
		`{}`:                                     {is: true, problem: true},
		`{"v":2,"allow":{}}`:                     {is: true, problem: true},
		`{"v":1,"alow":{}}`:                      {is: true, problem: true},
		`{"v":1,"allow":{"s":{"field":["id"]}}}`: {is: true, problem: true},
		`{"v":1,"allow":{"s":{"fields":[]}}}`:    {is: true, problem: true},
		`{"v":1,"allow":null}`:                   {is: true, problem: true},
		`nonsense`:                               {is: true, problem: true},
	} {
		found := registry.ParsePolicy(tree.Entry{Value: []byte(value)})
		if found.Is != want.is || (found.Problem != "") != want.problem {
			t.Errorf("%s: %+v", value, found)
		}
	}
}
