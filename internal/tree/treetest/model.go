package treetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/model"
)

const (
	modelSteps = 300
	modelSeed  = 1
)

// isTheModel runs the same random calls on a store and on the model of the simulation, and
// compares every answer. At the end each map's snapshot is what the model has.
func isTheModel(t *testing.T, b Backend) {
	maps := []Map{open(t, b), open(t, b)}
	ctx := within(t)
	random := rand.New(rand.NewPCG(modelSeed, 0))
	records := model.NewRecords()
	paths := []string{"entities/user/a", "entities/user/b", "entities/tenant/a", "services/a"}
	type pair struct{ real, model tree.Version }
	seen := make(map[string][]pair) // the versions that each record had, oldest first
	expect := func(path string) pair {
		had := seen[path]
		switch n := random.IntN(6); {
		case n == 0:
			return pair{tree.Any, tree.Any}
		case n == 1 || len(had) == 0:
			return pair{tree.Absent, tree.Absent}
		case n == 2: // an old one
			return had[random.IntN(len(had))]
		default:
			return had[len(had)-1]
		}
	}
	for step := range modelSteps {
		m, path := maps[random.IntN(len(maps))], paths[random.IntN(len(paths))]
		var did string
		var got, want error
		switch random.IntN(4) {
		case 0:
			did = "get " + path
			have, err := m.Get(ctx, path)
			modelled, none := records.Get(path)
			if got, want = err, none; err == nil && none == nil && string(have.Value) != string(modelled.Value) {
				t.Fatalf("step %d, %s: %q, and the model has %q", step, did, have.Value, modelled.Value)
			}
		case 1:
			at := expect(path)
			if at.real == tree.Absent {
				at = pair{tree.Any, tree.Any} // is for Put only
			}
			did = fmt.Sprintf("delete %s at %d", path, at.model)
			got, want = m.Delete(ctx, path, at.real), records.Delete(path, at.model)
		default:
			at, value := expect(path), fmt.Sprint(step)
			did = fmt.Sprintf("put %s at %d", path, at.model)
			var now pair
			now.real, got = m.Put(ctx, path, []byte(value), at.real)
			now.model, want = records.Put(path, []byte(value), at.model)
			if had := seen[path]; got == nil && len(had) > 0 && now.real <= had[len(had)-1].real {
				t.Fatalf("step %d, %s: version %d behind %d", step, did, now.real, had[len(had)-1].real)
			}
			if got == nil {
				seen[path] = append(seen[path], now)
			}
		}
		if errors.Is(want, tree.ErrConflict) != errors.Is(got, tree.ErrConflict) || errors.Is(want, tree.ErrNotFound) != errors.Is(got, tree.ErrNotFound) || (want == nil) != (got == nil) {
			t.Fatalf("step %d, %s: %v, and the model says %v", step, did, got, want)
		}
	}
	for _, m := range maps {
		Await(t, m, "what the model has", func(s *tree.Snapshot) bool {
			for path, e := range records.Entries {
				if string(s.Entries[path].Value) != string(e.Value) {
					return false
				}
			}
			return len(s.Entries) == len(records.Entries)
		})
	}
}
