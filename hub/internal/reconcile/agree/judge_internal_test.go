package agree

import (
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	lane "github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
)

func TestTheLaneDecidesOnARecord(t *testing.T) {
	in := lane.Interest{ID: "b", Entity: "user", Definition: contract.Definition{Ops: []string{"create"}}, Rev: 2, Since: event.Position{Epoch: 1, Seq: 7}}
	live, gone := lane.State{Interests: []lane.Interest{in}, Ended: []string{"a"}}, lane.State{Ended: []string{"a", "b"}}
	with := func(change func(*record.Interest)) record.Interest {
		r := record.Of(in)
		change(&r)
		return r
	}
	for name, tt := range map[string]struct {
		record record.Interest
		state  lane.State
		want   verdict
	}{
		"says what is in force":      {record.Of(in), live, agrees},
		"has another filter":         {with(func(r *record.Interest) { r.Filter = "true" }), live, differs},
		"has an older definition":    {with(func(r *record.Interest) { r.Rev = 1 }), live, differs},
		"of the interest before":     {with(func(r *record.Interest) { r.ID = "a" }), live, differs},
		"ended":                      {record.Of(in), gone, ended},
		"ended long ago":             {with(func(r *record.Interest) { r.ID = "a" }), gone, ended},
		"of a lane that is no more":  {with(func(r *record.Interest) { r.ID = "z" }), gone, unknown},
		"of a lane that is new":      {record.Of(in), lane.State{}, unknown},
		"of a lane with other wants": {record.Of(in), lane.State{Interests: []lane.Interest{{ID: "c", Entity: "tenant"}}}, unknown},
	} {
		if got := judge(tt.record, tt.state, "user"); got != tt.want {
			t.Errorf("a record %s: %d, want %d", name, got, tt.want)
		}
	}
}
