package agree

import (
	"github.com/replhub/replhub/hub/internal/lane/record"
	registry "github.com/replhub/replhub/hub/internal/record"
)

// verdict is the relation of a record with an id and a since to its lane.
type verdict int

const (
	agrees  verdict = iota // the record says what is in force
	differs                // the entity's interest in force is another one, or is defined differently
	ended                  // the record is of an ended interest
	unknown                // the lane does not know the record's interest
)

// judge judges a record by its lane's state, which decides.
func judge(r registry.Interest, s record.State, entity string) verdict {
	switch have := s.Find(entity); {
	case have != nil && r.Same(*have):
		return agrees
	case have != nil:
		return differs
	case s.HasEnded(r.ID):
		return ended
	}
	return unknown
}
