package partition

import (
	"slices"

	"github.com/replhub/replhub/internal/contract"
)

// A roster may be deleted by hand, with its stream or without. What it said is
// known to the instances: each says what it holds about once a second. Until
// all have had the time to say so, what no instance claims counts as held by
// somebody unknown, who loses it in silence like any other member.

// unknownHolder stands for an instance that may hold a partition and has not
// been heard since the roster was lost. No instance can be called so.
const unknownHolder = "?"

// maxGeneration bounds the generations that an instance is believed.
const maxGeneration = 1 << 62

// lose begins a roster in place of one that was lost: every partition has an
// unknown holder.
func (r *Roster) lose(partitions int, generation uint64) {
	r.resize(partitions)
	r.Generation = max(r.Generation, generation)
	for p := range r.Holders {
		r.Holders[p] = unknownHolder
	}
	r.forgetMoves()
}

// recover applies what an instance says of a roster that was lost: it holds what
// it says it holds, and what it was told then is no answer to this roster.
func (r *Roster) recover(req *contract.Join) (changed bool) {
	if req.Generation > r.Generation && req.Generation < maxGeneration {
		r.Generation = req.Generation
		r.forgetMoves()
		req.Generation = 0
		changed = true
	}
	for _, p := range req.Holding {
		if p < len(r.Holders) && r.Holders[p] == unknownHolder {
			r.Holders[p], changed = req.Instance, true
			if !req.Leaving && !slices.Contains(r.Members, r.Targets[p]) {
				r.Targets[p] = req.Instance
			}
		}
	}
	return changed
}

// forgetMoves has every instance told once more whose the partitions are, under a
// generation that no instance knows yet, before a partition counts as given up.
func (r *Roster) forgetMoves() {
	r.Generation++
	for p := range r.Moved {
		r.Moved[p] = r.Generation
	}
}
