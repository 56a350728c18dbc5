package audit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/e2e/bank/audit"
)

// Two partitions, of the keys a and b; the second instance comes at 100 and goes
// at 200.
func TestJudgeShares(t *testing.T) {
	steps := []audit.Step{
		{What: "start", At: 0, Live: []string{"one"}},
		{What: "join", At: 100, Live: []string{"one", "two"}},
		{What: "leave", At: 200, Live: []string{"one"}},
	}
	at := func(who, key string, begins ...int64) []audit.Handling {
		var all []audit.Handling
		for _, begin := range begins {
			all = append(all, handling(who, key, 1, begin, begin+1))
		}
		return all
	}
	for _, c := range []struct {
		name string
		a, b [][]audit.Handling
		want int
		took int64 // after the join
	}{
		{"all right", [][]audit.Handling{at("one", "a", 10, 110, 210)}, [][]audit.Handling{at("one", "b", 20, 115), at("two", "b", 130, 140), at("one", "b", 220)}, 0, 30},
		{"there and back", [][]audit.Handling{at("one", "a", 10, 110, 210)}, [][]audit.Handling{at("one", "b", 20, 145), at("two", "b", 130, 149), at("one", "b", 220)}, 0, 49},
		{"late", [][]audit.Handling{at("one", "a", 10, 110, 210)}, [][]audit.Handling{at("one", "b", 20), at("two", "b", 160), at("one", "b", 220)}, 1, 60},
		{"nobody", [][]audit.Handling{at("one", "a", 10, 110, 210)}, [][]audit.Handling{at("one", "b", 20, 220)}, 1, 10},
		{"more than its share", [][]audit.Handling{at("one", "a", 10, 110, 210)}, [][]audit.Handling{at("one", "b", 20, 120, 220)}, 1, 20},
		{"with one that is gone", [][]audit.Handling{at("one", "a", 10, 110, 210)}, [][]audit.Handling{at("one", "b", 20), at("two", "b", 120, 220)}, 1, 20},
	} {
		r := &audit.Replica{Service: "ledger", Partition: func(key string) int { return int(key[0] - 'a') }}
		for _, list := range append(c.a, c.b...) {
			r.Handlings = append(r.Handlings, list...)
		}
		v, settled := audit.JudgeShares(r, 2, steps, 300, 50)
		if got := v.Found[audit.Unshared]; got != c.want {
			t.Errorf("%s: %d findings, want %d: %v", c.name, got, c.want, v.Err())
		}
		if got := int64(settled[1].Took); got != c.took {
			t.Errorf("%s: settled after %d, want %d", c.name, got, c.took)
		}
		if c.want > 0 {
			continue
		}
		if diff := cmp.Diff(map[string]int{"one": 1, "two": 1}, settled[1].Shares); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}
