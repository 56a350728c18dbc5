package treetest

import (
	"context"
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
	w := &twins{t: t, ctx: within(t), random: rand.New(rand.NewPCG(modelSeed, 0)), model: model.NewRecords(), had: make(map[string][]versions)}
	maps := []Map{open(t, b), open(t, b)}
	paths := []string{"entities/user/a", "entities/user/b", "entities/tenant/a", "services/a"}
	for w.step = range modelSteps {
		w.real = maps[w.random.IntN(len(maps))]
		path := paths[w.random.IntN(len(paths))]
		switch w.random.IntN(4) {
		case 0:
			w.get(path)
		case 1:
			w.remove(path)
		default:
			w.put(path)
		}
	}
	for _, m := range maps {
		Await(t, m, "what the model has", w.same)
	}
}

// twins are a store and its model.
type twins struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // that of a test
	random *rand.Rand
	step   int
	real   Map
	model  *model.Records
	// had are the versions that each record had, oldest first.
	had map[string][]versions
}

// versions are one version of a record.
type versions struct{ real, model tree.Version }

// expect draws what a write expects.
func (w *twins) expect(path string) versions {
	had := w.had[path]
	switch n := w.random.IntN(6); {
	case n == 0:
		return versions{tree.Any, tree.Any}
	case n == 1 || len(had) == 0:
		return versions{tree.Absent, tree.Absent}
	case n == 2:
		return had[w.random.IntN(len(had))]
	default:
		return had[len(had)-1]
	}
}

func (w *twins) get(path string) {
	got, err := w.real.Get(w.ctx, path)
	want, none := w.model.Get(path)
	w.compare("get "+path, err, none)
	if string(got.Value) != string(want.Value) {
		w.t.Fatalf("step %d: %s has %q, and in the model %q", w.step, path, got.Value, want.Value)
	}
}

func (w *twins) remove(path string) {
	at := w.expect(path)
	if at.real == tree.Absent { // is for Put only
		at = versions{tree.Any, tree.Any}
	}
	w.compare(fmt.Sprintf("delete %s at %d", path, at.model), w.real.Delete(w.ctx, path, at.real), w.model.Delete(path, at.model))
}

func (w *twins) put(path string) {
	at, value := w.expect(path), []byte(fmt.Sprint(w.step))
	var now versions
	var got, want error
	now.real, got = w.real.Put(w.ctx, path, value, at.real)
	now.model, want = w.model.Put(path, value, at.model)
	w.compare(fmt.Sprintf("put %s at %d", path, at.model), got, want)
	if got != nil {
		return
	}
	if had := w.had[path]; len(had) > 0 && now.real <= had[len(had)-1].real {
		w.t.Fatalf("step %d: version %d of %s behind %d", w.step, now.real, path, had[len(had)-1].real)
	}
	w.had[path] = append(w.had[path], now)
}

func (w *twins) compare(did string, got, want error) {
	w.t.Helper()
	if want == nil && got != nil || !errors.Is(got, want) {
		w.t.Fatalf("step %d, %s: %v, and the model says %v", w.step, did, got, want)
	}
}

// same reports whether a snapshot has what the model has.
func (w *twins) same(s *tree.Snapshot) bool {
	for path, e := range w.model.Entries {
		if string(s.Entries[path].Value) != string(e.Value) {
			return false
		}
	}
	return len(s.Entries) == len(w.model.Entries)
}
