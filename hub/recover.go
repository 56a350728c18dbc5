package hub

import (
	"context"
	"fmt"
	"slices"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// A roster may be deleted by hand, with its stream or without. What it said is
// known to the instances: each says what it holds about once a second. Until
// all have had the time to say so, what nobody claims counts as held by
// somebody unknown, who loses it in silence like any other member.

// unknownHolder stands for an instance that may hold a partition and has not
// been heard since the roster was lost. No instance can be called so.
const unknownHolder = "?"

// maxGeneration bounds the generations that an instance is believed.
const maxGeneration = 1 << 62

// roster reads a service's roster, or begins one.
func (j *joins) roster(ctx context.Context, service subjects.Name, partitions int, a *attendance, req contract.Join) (*roster, uint64, error) {
	r, revision, err := readRoster(ctx, j.hub.rosters, service)
	if err != nil || revision > 0 {
		return r, revision, err
	}
	lost := a.generation > 0 || req.Generation > 0 || len(req.Holding) > 0
	if !lost {
		if lost, err = j.mayHaveHadRoster(ctx, service); err != nil {
			return nil, 0, err
		}
	}
	if lost {
		r.lose(partitions, a.generation)
	}
	return r, 0, nil
}

// mayHaveHadRoster reports whether a lane is older than the stream of rosters,
// so that its roster may have gone with the stream before.
func (j *joins) mayHaveHadRoster(ctx context.Context, service subjects.Name) (bool, error) {
	stream, err := j.hub.js.Stream(ctx, subjects.LaneStream(service))
	if err != nil {
		return false, fmt.Errorf("look up lane %s: %w", service, err)
	}
	rosters, err := j.hub.rosters.Look(ctx)
	if err != nil {
		return false, err
	}
	return rosters.CachedInfo().Created.After(stream.CachedInfo().Created), nil
}

// lose begins a roster in place of one that was lost: every partition has an
// unknown holder.
func (r *roster) lose(partitions int, generation uint64) {
	r.resize(partitions)
	r.Generation = max(r.Generation, generation)
	for p := range r.Holders {
		r.Holders[p] = unknownHolder
	}
	r.forgetMoves()
}

// recover takes in what an instance says of a roster that was lost: it holds what
// it says it holds, and what it was told then is no answer to this roster.
func (r *roster) recover(req *contract.Join) (changed bool) {
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

// forgetMoves has every instance be told anew whose the partitions are, under a
// generation that nobody knows yet, before one counts as given up.
func (r *roster) forgetMoves() {
	r.Generation++
	for p := range r.Moved {
		r.Moved[p] = r.Generation
	}
}
