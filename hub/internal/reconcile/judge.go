package reconcile

import (
	"slices"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/subjects"
)

// verdict is what a record that has an id is to its lane.
type verdict int

const (
	agrees  verdict = iota // it says what is in force
	differs                // its entity's interest is in force, and is another or otherwise defined
	ended                  // it is of an interest that was ended
	unknown                // the lane does not know it
)

// judge judges a record that has an id by its lane's state, which decides.
func judge(r record.Interest, s lane.State, entity subjects.Name) verdict {
	switch have := s.Find(entity.String()); {
	case have != nil && r.Same(*have):
		return agrees
	case have != nil:
		return differs
	case slices.Contains(s.Ended, r.ID):
		return ended
	}
	return unknown
}
