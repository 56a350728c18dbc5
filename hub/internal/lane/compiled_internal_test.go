package lane

import (
	"fmt"
	"slices"
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
)

// TestOnlyWhatChangedIsCompiled: one more interest, another definition or
// another state leaves what was compiled of the others.
func TestOnlyWhatChangedIsCompiled(t *testing.T) {
	var c compiled
	s := First(ingest.Mark{}, DefaultQueue(), 0)
	for i := range 5 {
		s = s.Add(Interest{ID: fmt.Sprint(i), Entity: fmt.Sprintf("e%d", i), Definition: contract.Definition{Ops: []string{"update"}, Filter: "key == 'a'"}}, ingest.Mark{})
	}
	compile := func(s State) map[compiledKey]*match.Interest {
		t.Helper()
		for _, in := range s.Interests {
			if _, err := c.get(in, nil); err != nil {
				t.Fatal(err)
			}
		}
		c.keep(s)
		found := make(map[compiledKey]*match.Interest)
		for key, have := range c.kept {
			found[key] = have.ready
		}
		return found
	}
	before := compile(s)
	check := func(what string, s State, changed ...string) {
		t.Helper()
		after := compile(s)
		if len(after) != len(s.Interests) {
			t.Errorf("%s: %d are kept, want %d", what, len(after), len(s.Interests))
		}
		for key, ready := range after {
			if slices.Contains(changed, key.id) == (before[key] == ready) {
				t.Errorf("%s: interest %s is kept: %v", what, key.id, before[key] == ready)
			}
		}
		before = after
	}
	check("nothing", s.In(Live))
	s = s.Add(Interest{ID: "5", Entity: "e5", Definition: contract.Definition{Ops: []string{"update"}, Filter: "key == 'b'"}}, ingest.Mark{})
	check("one more", s, "5")
	s = s.Clone()
	s.Interests[1].Filter = "key == 'c'"
	check("another filter", s, "1")
	s = s.Clone()
	s.Interests[2].Ops = []string{"delete"}
	check("other ops", s, "2")
	s = s.Clone()
	s.Interests[3].Since = event.Position{Epoch: 1, Seq: 9}
	check("another since", s, "3")
	check("one less", s.End("e4"))
}
