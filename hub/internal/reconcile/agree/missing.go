package agree

import (
	"github.com/replhub/replhub/hub/internal/lane/record"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Missing returns the records of a lane's state that a copy of the registry lacks. The
// driver reads the state from the lane's stream first, and writes a record only where
// there still is none.
func Missing(entries map[string]tree.Entry, service subjects.Name, s record.State) []registry.Written {
	var missing []registry.Written
	for _, w := range registry.All(service, s) {
		if _, there := entries[w.Path]; !there {
			missing = append(missing, w)
		}
	}
	return missing
}
