package ownership

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/replhub/replhub/subjects"
)

// owners are the owners of all lanes, with what is lent.
func owners(services []subjects.Name, members []string) map[subjects.Name]string {
	lent := balance(services, members)
	all := make(map[subjects.Name]string, len(services))
	for _, s := range services {
		all[s] = ownerOf(s, members)
		if to, ok := lent[s]; ok {
			all[s] = to
		}
	}
	return all
}

func hubsNamed(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("h%d", i+1)
	}
	return list
}

// Each hub has its share of the lanes within a tenth, or within one lane.
func TestSharesAreWithinATenth(t *testing.T) {
	for _, hubs := range []int{1, 2, 3, 4, 5, 9} {
		for _, lanes := range []int{0, 1, 2, 5, 10, 30, 31, 64, 100, 333, 1000} {
			members := hubsNamed(hubs)
			count := make(map[string]int)
			for _, owner := range owners(services(t, lanes), members) {
				count[owner]++
			}
			for _, id := range members {
				// In tenths of 1/hubs of a lane, so that nothing is rounded.
				off := 10*hubs*count[id] - 10*lanes
				if max(off, -off) > max(lanes, 10*hubs-1) {
					t.Errorf("%d lanes on %d hubs: %s has %d", lanes, hubs, id, count[id])
				}
			}
		}
	}
}

// What is lent depends on who the members and the lanes are, and not on their order.
func TestLoansOfTheSameViewAreTheSame(t *testing.T) {
	list, members := services(t, 50), hubsNamed(4)
	want := owners(list, members)
	slices.Reverse(list)
	slices.Reverse(members)
	for s, owner := range owners(list, members) {
		if want[s] != owner {
			t.Fatalf("%s: %q and %q", s, want[s], owner)
		}
	}
}

// Few lanes change their owner beyond those that must.
func TestFewLanesMove(t *testing.T) {
	moved := func(a, b map[subjects.Name]string, gone string) (n int) {
		for s, owner := range a {
			if after, there := b[s]; there && after != owner && owner != gone {
				n++
			}
		}
		return n
	}
	var byHub, byLane, tries int
	for lanes := 20; lanes <= 60; lanes++ {
		list := services(t, lanes+1)
		three, two := owners(list[:lanes], hubsNamed(3)), owners(list[:lanes], hubsNamed(2))
		byHub += moved(three, two, "h3")
		byLane += moved(three, owners(list, hubsNamed(3)), "")
		tries++
	}
	t.Logf("of 40 lanes move: %.1f when a hub goes, beside its own; %.1f when a lane comes", float64(byHub)/float64(tries), float64(byLane)/float64(tries))
	if byHub > 5*tries || byLane > 2*tries {
		t.Errorf("too many lanes move: %d and %d in %d tries", byHub, byLane, tries)
	}
}

// Above the most that a hub lends, it lends the same lanes each second.
func TestTheLoansWithinABoundStayTheSame(t *testing.T) {
	lanes := services(t, 50)
	all := make(loans)
	for _, lane := range lanes {
		all[lane] = "h2"
	}
	want := all.first(10)
	if len(want) != 10 {
		t.Fatalf("%d lanes are lent", len(want))
	}
	for range 20 {
		if got := all.first(10); !maps.Equal(got, want) {
			t.Fatalf("lent %v, then %v", want, got)
		}
	}
	if got := all.first(50); !maps.Equal(got, all) {
		t.Errorf("within the bound %d of 50 lanes are lent", len(got))
	}
}
