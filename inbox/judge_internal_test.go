package inbox

import (
	"testing"

	"github.com/replhub/replhub"
)

// A row counts as different if it differs twice, and nothing has happened to it in the
// replica between the looks.
func TestJudge(t *testing.T) {
	none := side{}
	is := func(hash uint64) side { return side{there: true, hash: hash} }
	at := func(seq uint64) Stamp { return Stamp{Position: replhub.Position{Epoch: 1, Seq: seq}} }
	const equal, moving, differs = "equal", "moving", "differs"
	for what, c := range map[string]struct {
		before, now candidate
		want        string
	}{
		"it came":                      {candidate{is(1), none, at(0)}, candidate{is(1), is(1), at(7)}, equal},
		"it is missing":                {candidate{is(1), none, at(0)}, candidate{is(1), none, at(0)}, differs},
		"it is extra":                  {candidate{none, is(1), at(0)}, candidate{none, is(1), at(0)}, differs},
		"it was deleted":               {candidate{none, is(1), at(3)}, candidate{none, none, at(7)}, equal},
		"it is stale":                  {candidate{is(2), is(1), at(3)}, candidate{is(2), is(1), at(3)}, differs},
		"stale, and the owner goes on": {candidate{is(2), is(1), at(3)}, candidate{is(3), is(1), at(3)}, differs},
		"it is on its way again":       {candidate{is(2), is(1), at(3)}, candidate{is(3), is(2), at(7)}, moving},
		"to and fro":                   {candidate{is(2), is(1), at(3)}, candidate{is(2), is(1), at(9)}, moving},
	} {
		v := &verifier{candidates: map[string]*candidate{"k": &c.now}, confirmed: map[string]*candidate{}}
		v.judge(map[string]*candidate{"k": &c.before})
		got := equal
		if len(v.candidates) > 0 {
			got = moving
		}
		if len(v.confirmed) > 0 {
			got = differs
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}
