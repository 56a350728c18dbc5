// Package partition decides which instance of a service works on which of its
// partitions. Deciding is pure (Roster, presence); Rosters keeps the decisions in a
// stream that all hubs share.
//
// A partition has at most one holder. It does not always have one: between two
// holders there is a moment without a holder.
package partition

import (
	"cmp"
	"slices"

	"github.com/replhub/replhub/internal/contract"
)

// Roster says which instance of a service has which partitions.
//
// A partition has a holder, the instance that may work on it, and a target, the
// instance that is to have it. The target becomes the holder only after the partition
// had no holder: the old holder has reported that it gave the partition up, or its
// time is over.
type Roster struct {
	V int `json:"v"`
	// By is the hub that keeps the members' times.
	By string `json:"by"`
	// Generation counts changes.
	Generation uint64 `json:"generation"`
	// Members are the live instances that want partitions, sorted.
	Members []string `json:"members"`
	// Holders and Targets are by partition; "" where there is none.
	Holders []string `json:"holders"`
	Targets []string `json:"targets"`
	// Moved is, by partition, the generation at which its target changed.
	Moved []uint64 `json:"moved"`
}

// rosterForm is the form of a stored roster.
const rosterForm = 1

// resize gives the roster as many partitions as the queue has, and reports
// whether it had another number. A queue changes only without a backlog, and
// its consumers are then others.
func (r *Roster) resize(partitions int) bool {
	if len(r.Holders) == partitions {
		return false
	}
	r.Holders, r.Targets = make([]string, partitions), make([]string, partitions)
	r.Moved = make([]uint64, partitions)
	r.retarget()
	return true
}

// expire removes the members whose time is over, and reports whether there were any.
func (r *Roster) expire(over func(id string) bool) bool {
	gone := func(id string) bool { return id != "" && over(id) }
	changed := slices.ContainsFunc(r.Members, gone)
	r.Members = slices.DeleteFunc(r.Members, gone)
	for p, id := range r.Holders {
		if gone(id) {
			r.Holders[p], changed = "", true
		}
	}
	if changed {
		r.retarget()
	}
	return changed
}

// apply applies an instance's request, and reports whether anything changed.
func (r *Roster) apply(req contract.Join) bool {
	changed := r.letGo(req)
	i, member := slices.BinarySearch(r.Members, req.Instance)
	switch {
	case req.Leaving && member:
		r.Members = slices.Delete(r.Members, i, i+1)
		r.retarget()
		changed = true
	case !req.Leaving && !member:
		r.Members = slices.Insert(r.Members, i, req.Instance)
		r.retarget()
		changed = true
	}
	for p, holder := range r.Holders {
		if holder == "" && r.Targets[p] == req.Instance {
			r.Holders[p], changed = req.Instance, true
		}
	}
	return changed
}

// maxInstances bounds the instances of one service, and so its roster, which is one
// message. Instances beyond the number of partitions stand by.
const maxInstances = 1000

// full reports whether there is no place for a new instance.
func (r *Roster) full(req contract.Join) bool {
	if req.Leaving || len(r.Members) < maxInstances {
		return false
	}
	_, member := slices.BinarySearch(r.Members, req.Instance)
	return !member
}

// letGo frees the partitions that their holder no longer works on.
func (r *Roster) letGo(req contract.Join) bool {
	changed := false
	for p, holder := range r.Holders {
		if holder != req.Instance || slices.Contains(req.Holding, p) {
			continue
		}
		// An instance that has not seen the move may be about to begin: its report is
		// older than the move.
		told := r.Targets[p] != req.Instance && req.Generation >= r.Moved[p]
		if req.Leaving || told {
			r.Holders[p], changed = "", true
		}
	}
	return changed
}

// retarget spreads the partitions over the present members.
func (r *Roster) retarget() {
	r.Generation++
	for p, id := range assign(r.Members, r.Targets) {
		if r.Targets[p] != id {
			r.Targets[p], r.Moved[p] = id, r.Generation
		}
	}
}

// assigned are the partitions that an instance may work on.
func (r *Roster) assigned(id string) []int {
	list := []int{}
	for p, holder := range r.Holders {
		if holder == id && r.Targets[p] == id {
			list = append(list, p)
		}
	}
	return list
}

// Of returns the holder of a partition, and its target if that is another instance;
// "" for none. A partition that the roster does not have yet has neither: a queue
// that was changed has its new number here with the next request.
func (r *Roster) Of(p int) (holder, next string) {
	if p < 0 || p >= len(r.Holders) {
		return "", ""
	}
	if r.Targets[p] != r.Holders[p] {
		next = r.Targets[p]
	}
	return r.Holders[p], next
}

// present returns all instances of the roster: the members, and leaving instances
// that still hold a partition.
func (r *Roster) present() []string {
	all := slices.Concat(r.Members, slices.DeleteFunc(slices.Clone(r.Holders), func(id string) bool { return id == "" }))
	slices.Sort(all)
	return slices.Compact(all)
}

// assign spreads partitions over members: shares differ by at most one, and no more
// partitions move than that needs. current has the present instance of each
// partition.
func assign(members []string, current []string) []string {
	next := make([]string, len(current))
	if len(members) == 0 {
		return next
	}
	has := make(map[string]int, len(members))
	for _, id := range current {
		has[id]++
	}
	// The instances with the most partitions keep the larger shares.
	ranked := slices.SortedFunc(slices.Values(members), func(a, b string) int {
		return cmp.Or(cmp.Compare(has[b], has[a]), cmp.Compare(a, b))
	})
	share := make(map[string]int, len(members))
	for i, id := range ranked {
		share[id] = len(current) / len(members)
		if i < len(current)%len(members) {
			share[id]++
		}
	}
	for p, id := range current {
		if share[id] > 0 {
			next[p] = id
			share[id]--
		}
	}
	for p := range next {
		for next[p] == "" {
			if share[ranked[0]] == 0 {
				ranked = ranked[1:]
				continue
			}
			next[p] = ranked[0]
			share[ranked[0]]--
		}
	}
	return next
}
