package ownership

import (
	"fmt"
	"slices"
	"testing"

	"github.com/replhub/replhub/subjects"
)

func services(t *testing.T, n int) []subjects.Name {
	t.Helper()
	list := make([]subjects.Name, n)
	for i := range list {
		name, err := subjects.ParseName(fmt.Sprintf("service-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		list[i] = name
	}
	return list
}

// The owner depends on who the members are, and not on their order.
func TestOwnerOfTheSameMembersIsTheSame(t *testing.T) {
	members := []string{"one", "two", "three"}
	reversed := slices.Clone(members)
	slices.Reverse(reversed)
	for _, s := range services(t, 100) {
		if a, b := ownerOf(s, members), ownerOf(s, reversed); a != b || !slices.Contains(members, a) {
			t.Fatalf("%s: %q and %q", s, a, b)
		}
		if got := ownerOf(s, nil); got != "" {
			t.Fatalf("%s is owned by %q of no members", s, got)
		}
	}
}

// Shares are about equal, and a hub that goes takes nothing from the others.
func TestLanesAreSharedOutAndStay(t *testing.T) {
	const lanes = 3000
	members := []string{"one", "two", "three"}
	share := make(map[string]int)
	for _, s := range services(t, lanes) {
		owner := ownerOf(s, members)
		share[owner]++
		if after := ownerOf(s, []string{"one", "two"}); owner != "three" && after != owner {
			t.Fatalf("%s moves from %s to %s when three goes", s, owner, after)
		}
	}
	for _, id := range members {
		if n := share[id]; n < lanes/3*9/10 || n > lanes/3*11/10 {
			t.Errorf("%s has %d of %d lanes", id, n, lanes)
		}
	}
}
