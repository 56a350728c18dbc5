package partition

import (
	"slices"

	"github.com/replhub/replhub/internal/contract"
)

// A roster may be deleted by hand, with its stream or without. The instances know its
// content: each reports its partitions about once a second. Until all have had the
// time to report, a partition that no instance claims counts as held by an unknown
// holder, which loses it after its time like any silent member.

// unknownHolder stands for an instance that may hold a partition and has not been
// heard since the roster was lost. No instance can have this name.
const unknownHolder = "?"

// maxGeneration bounds the generations that are accepted from an instance.
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

// recover applies an instance's report about a lost roster: the instance holds the
// partitions that it claims, and its generation is not an acknowledgement of this
// roster.
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

// forgetMoves makes every instance be told again whose the partitions are, under a
// generation that no instance knows yet, before a partition counts as given up.
func (r *Roster) forgetMoves() {
	r.Generation++
	for p := range r.Moved {
		r.Moved[p] = r.Generation
	}
}
