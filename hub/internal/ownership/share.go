package ownership

import (
	"cmp"
	"maps"
	"slices"

	"github.com/replhub/replhub/subjects"
)

// tenth is the part of a hub's share by which its number of lanes may differ from the share.
const tenth = 10

// loans are lanes and the hubs that they are lent to.
type loans map[subjects.Name]string

// first returns some of the loans, by the lanes' names: the same ones each time, since a
// lane that is lent now and not a second later moves to and fro.
func (l loans) first(most int) loans {
	if len(l) <= most {
		return l
	}
	names := slices.SortedFunc(maps.Keys(l), func(a, b subjects.Name) int { return cmp.Compare(a.String(), b.String()) })
	some := make(loans, most)
	for _, name := range names[:most] {
		some[name] = l[name]
	}
	return some
}

// bounds returns how few and how many lanes each of several hubs may have: a tenth of the
// share less or more, or one lane where a tenth is less than that.
func bounds(lanes, hubs int) (low, high int) {
	floor, ceil := lanes/hubs, (lanes+hubs-1)/hubs
	// 90 % of the share, rounded up, and 110 %, rounded down.
	low = (lanes*(tenth-1) + hubs*tenth - 1) / (hubs * tenth)
	high = lanes * (tenth + 1) / (hubs * tenth)
	return min(floor, low), max(ceil, high)
}

// pair is a lane and a hub that may have it.
type pair struct {
	weight      uint64
	lane, owner int
}

// balance returns the lanes that need another owner than the one by rendezvous hashing, so
// that each member's number of lanes is within bounds. Each hub computes the same from the
// same lanes and members. Few lanes move if a lane or a member comes or goes: the pairs of
// lane and hub are taken in the order of their weights, and a pair is passed over only if
// its hub is full.
func balance(services []subjects.Name, members []string) loans {
	if len(members) < 2 || len(services) == 0 {
		return nil
	}
	low, high := bounds(len(services), len(members))
	spare := len(services) - low*len(members) // lanes that no hub needs to reach the lower bound
	owner := make([]int, len(services))       // index of the member, plus one
	count := make([]int, len(members))
	for _, p := range pairs(services, members) {
		switch n := count[p.owner]; {
		case owner[p.lane] > 0 || n >= high:
			continue
		case n >= low && spare == 0:
			continue
		case n >= low:
			spare--
		}
		count[p.owner]++
		owner[p.lane] = p.owner + 1
	}
	lent := make(loans)
	for i, service := range services {
		if to := members[owner[i]-1]; to != ownerOf(service, members) {
			lent[service] = to
		}
	}
	return lent
}

// pairs returns every pair of a lane and a hub, the greatest weight first.
func pairs(services []subjects.Name, members []string) []pair {
	list := make([]pair, 0, len(services)*len(members))
	for i, service := range services {
		for k, id := range members {
			list = append(list, pair{weight(service, id), i, k})
		}
	}
	slices.SortFunc(list, func(a, b pair) int {
		return cmp.Or(
			cmp.Compare(b.weight, a.weight),
			cmp.Compare(services[a.lane].String(), services[b.lane].String()),
			cmp.Compare(members[a.owner], members[b.owner]),
		)
	})
	return list
}
