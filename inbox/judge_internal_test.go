package inbox

import (
	"testing"

	"github.com/replhub/replhub"
)

// A row counts as different if it differs at three looks, and nothing has happened to it in
// the replica between them.
func TestJudge(t *testing.T) {
	none := side{}
	is := func(hash uint64) side { return side{there: true, hash: hash} }
	at := func(seq uint64) Stamp { return Stamp{Position: replhub.Position{Epoch: 1, Seq: seq}} }
	const equal, moving, differs = "equal", "moving", "differs"
	for what, c := range map[string]struct {
		before, now candidate
		want        string
	}{
		"it came":                            {candidate{is(1), none, at(0), 1}, candidate{is(1), is(1), at(7), 0}, equal},
		"it is missing":                      {candidate{is(1), none, at(0), 1}, candidate{is(1), none, at(0), 0}, differs},
		"it is extra":                        {candidate{none, is(1), at(0), 1}, candidate{none, is(1), at(0), 0}, differs},
		"it was deleted":                     {candidate{none, is(1), at(3), 1}, candidate{none, none, at(7), 0}, equal},
		"it is stale":                        {candidate{is(2), is(1), at(3), 1}, candidate{is(2), is(1), at(3), 0}, differs},
		"stale, and the owner goes on":       {candidate{is(2), is(1), at(3), 1}, candidate{is(3), is(1), at(3), 0}, differs},
		"it is on its way again":             {candidate{is(2), is(1), at(3), 1}, candidate{is(3), is(2), at(7), 0}, moving},
		"to and fro":                         {candidate{is(2), is(1), at(3), 1}, candidate{is(2), is(1), at(9), 0}, moving},
		"written by hand at every look":      {candidate{is(1), is(2), at(3), 1}, candidate{is(1), is(3), at(3), 0}, differs},
		"deleted by hand between looks":      {candidate{is(1), is(2), at(3), 1}, candidate{is(1), none, at(3), 0}, differs},
		"it changes, and has no stamp":       {candidate{is(1), is(2), Stamp{}, 1}, candidate{is(2), is(3), Stamp{}, 0}, moving},
		"it is missing at two looks":         {candidate{is(1), none, at(0), 0}, candidate{is(1), none, at(0), 0}, moving},
		"the owner was behind, and is ahead": {candidate{is(1), is(2), at(3), 0}, candidate{is(3), is(2), at(3), 0}, moving},
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

// A replica is equal only if all of it was compared.
func TestEqualIsAllOfIt(t *testing.T) {
	for what, c := range map[string]struct {
		v     verifier
		equal bool
	}{
		"nothing differs":     {verifier{}, true},
		"a row differs":       {verifier{confirmed: map[string]*candidate{"k": {}}}, false},
		"a row moves":         {verifier{candidates: map[string]*candidate{"k": {}}}, false},
		"a row is not judged": {verifier{result: Verified{Unjudged: 1}}, false},
		"a part was compared": {verifier{result: Verified{Partly: true}}, false},
	} {
		c.v.comparison = &comparison{}
		if c.v.conclude(); c.v.result.Equal != c.equal {
			t.Errorf("%s: equal is %v", what, c.v.result.Equal)
		}
	}
}
