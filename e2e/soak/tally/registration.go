package tally

import (
	"cmp"
	"math"
	"slices"
)

// version is what a definition lets pass from an ingest sequence on. Where it
// cannot be known which of two definitions held, must and may differ.
type version struct {
	from      uint64
	must, may Mask
}

// Registration is one service's interest in one entity, from the request that
// made it to the one that ended it. Its methods belong to its Service, which
// locks.
type Registration struct {
	entity   int
	since    uint64 // 0: not answered yet
	versions []version
	// unsure is the first event of which a request under way may have changed
	// what is due; 0 when there is none.
	unsure uint64
	// Copies of this registration lie behind firstLane in the lane, and where
	// the lane sequence is not known, behind firstSeq in ingest.
	firstLane, firstSeq uint64
	// closing says that its end was asked for; what the lane had dealt with by
	// then, up to required, is due. lastLane is the lane's end when that was
	// answered.
	closing  bool
	required uint64
	frozen   bool
	lastLane uint64

	copies    copies
	lastOfKey []uint64 // by key; nil where no order is promised
	lowest    uint64   // of the ingest sequences that came, 0 for none
	highest   uint64
	checked   uint64 // what was due up to here came, or is in missing
	audited   uint64 // what came up to here was allowed to
	missing   []uint64
}

// at is the definition that holds at a sequence.
func (r *Registration) at(seq uint64) version {
	for _, v := range slices.Backward(r.versions) {
		if v.from <= seq {
			return v
		}
	}
	return r.versions[0]
}

// bound is the highest event that is due. A copy shows that everything before
// it was copied: per entity, a lane keeps the order of ingest.
func (r *Registration) bound() uint64 {
	switch {
	case r.frozen:
		return r.required
	case r.closing:
		return max(r.required, r.highest)
	default:
		return math.MaxUint64
	}
}

// due reports whether an event has to come; ok is false when it was not
// acknowledged, yet at least.
func (r *Registration) due(e *Events, seq uint64) (due, ok bool) {
	entity, class, ok := e.kind(seq)
	return ok && entity == r.entity && seq >= r.since && seq <= r.bound() && r.at(seq).must.has(class), ok
}

// sweep looks at the events up to soft: those that have not come become
// missing, and those that came meanwhile are so no more. An event up to hard
// that was never acknowledged is given up. It returns how many that were not to
// come did.
func (r *Registration) sweep(e *Events, soft, hard uint64) (wrong uint64) {
	if r.since == 0 {
		return 0
	}
	r.missing = slices.DeleteFunc(r.missing, func(seq uint64) bool {
		if r.copies.has(seq) {
			return true
		}
		due, acked := r.due(e, seq)
		return acked && !due || !acked && seq <= hard
	})
	limit := min(soft, r.bound())
	if r.unsure > 0 {
		limit = min(limit, r.unsure-1)
	}
	for seq := max(r.checked+1, r.since); seq <= limit; seq++ {
		r.checked = seq
		if r.copies.has(seq) {
			if seq > r.audited {
				r.audited = seq
				entity, class, acked := e.kind(seq)
				if acked && (entity != r.entity || !r.at(seq).may.has(class)) {
					wrong++
				}
			}
			continue
		}
		due, acked := r.due(e, seq)
		if due || !acked {
			r.missing = append(r.missing, seq)
		}
	}
	settled := r.checked
	if len(r.missing) > 0 {
		settled = min(settled, r.missing[0]-1)
	}
	r.copies.retire(settled)
	return wrong
}

// change begins another definition. From the event "from" on it may hold, from
// "by" on it does.
func (r *Registration) change(mask Mask, from, by uint64) {
	from = min(from, by)
	r.split(from)
	r.split(by)
	for i := range r.versions {
		switch v := &r.versions[i]; {
		case v.from >= by:
			v.must, v.may = mask, mask
		case v.from >= from:
			v.must, v.may = v.must&mask, v.may|mask
		}
	}
	// What was looked at under the old definition is looked at again.
	r.checked = min(r.checked, max(from, 1)-1)
	r.missing = slices.DeleteFunc(r.missing, func(seq uint64) bool { return seq > r.checked })
	r.unsure = 0
}

// split has a version begin at a sequence.
func (r *Registration) split(at uint64) {
	i, found := slices.BinarySearchFunc(r.versions, at, func(v version, at uint64) int { return cmp.Compare(v.from, at) })
	if found {
		return
	}
	v := r.at(at)
	v.from = at
	r.versions = slices.Insert(r.versions, i, v)
}
