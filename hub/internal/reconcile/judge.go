package reconcile

import (
	"slices"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/subjects"
)

// verdict is the relation of a record with an id to its lane.
type verdict int

const (
	agrees  verdict = iota // the record says what is in force
	differs                // the entity's interest in force is another one, or is defined differently
	ended                  // the record is of an ended interest
	unknown                // the lane does not know the record's interest
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
