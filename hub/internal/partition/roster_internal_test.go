package partition

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/contract"
)

func TestAssign(t *testing.T) {
	cases := map[string]struct {
		members, current, want []string
	}{
		"nobody":         {nil, []string{"a", "", "b"}, []string{"", "", ""}},
		"first":          {[]string{"a"}, []string{"", "", ""}, []string{"a", "a", "a"}},
		"second":         {[]string{"a", "b"}, []string{"a", "a", "a", "a"}, []string{"a", "a", "b", "b"}},
		"odd stays":      {[]string{"a", "b"}, []string{"b", "b", "a"}, []string{"b", "b", "a"}},
		"one dies":       {[]string{"a", "c"}, []string{"a", "b", "c", "b"}, []string{"a", "a", "c", "c"}},
		"more than ways": {[]string{"a", "b", "c"}, []string{"a", ""}, []string{"a", "b"}},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			if got := assign(tt.members, tt.current); !slices.Equal(got, tt.want) {
				t.Errorf("assign(%v, %v) = %v, want %v", tt.members, tt.current, got, tt.want)
			}
		})
	}
}

// Whatever was: shares differ by at most one, everybody counted is a member,
// and as many stay where they are as the shares allow.
func TestAssignIsBalancedAndMovesLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		names := []string{"a", "b", "c", "d", "e", "f"}
		members := names[:1+r.IntN(len(names))]
		current := make([]string, 1+r.IntN(20))
		has := make(map[string]int)
		for p := range current {
			current[p] = append(names, "")[r.IntN(len(names)+1)]
			if slices.Contains(members, current[p]) {
				has[current[p]]++
			}
		}
		next := assign(members, current)
		share, stay := make(map[string]int), 0
		for p, id := range next {
			if !slices.Contains(members, id) {
				t.Fatalf("assign(%v, %v) = %v", members, current, next)
			}
			share[id]++
			if id == current[p] {
				stay++
			}
		}
		low, large := len(current)/len(members), len(current)%len(members)
		most := 0
		counts := []int{}
		for _, id := range members {
			if share[id] != low && share[id] != low+1 {
				t.Fatalf("assign(%v, %v) = %v: shares %v", members, current, next, share)
			}
			counts = append(counts, has[id])
		}
		slices.Sort(counts)
		slices.Reverse(counts)
		for i, n := range counts {
			limit := low
			if i < large {
				limit++
			}
			most += min(n, limit)
		}
		if stay != most {
			t.Fatalf("assign(%v, %v) = %v: %d stay, %d could", members, current, next, stay, most)
		}
	}
}

// One hub, or two that take turns, hear instances that come, go, stand still
// and are heard late: no partition is ever at work with two.
func TestNeverTwoHoldersOfAPartition(t *testing.T) {
	for seed := range uint64(300) {
		simulate(t, rand.New(rand.NewPCG(seed, 7)))
	}
}

// simulated is an instance as the hub does not see it.
type simulated struct {
	id         string
	generation uint64
	holding    []int
	until      time.Time // of its lease
	late       []contract.Join
}

func simulate(t *testing.T, r *rand.Rand) {
	t.Helper()
	const partitions = 5
	now := time.Now()
	stored := &Roster{V: rosterForm}
	hubs := map[string]*presence{"h1": {seen: map[string]time.Time{}}, "h2": {seen: map[string]time.Time{}}}
	owner := "h1"
	var instances []*simulated
	for step := range 400 {
		now = now.Add(time.Duration(r.IntN(600)) * time.Millisecond)
		if r.IntN(40) == 0 {
			owner = []string{"h1", "h2"}[r.IntN(2)]
		}
		if len(instances) < 4 && r.IntN(10) == 0 {
			instances = append(instances, &simulated{id: fmt.Sprintf("i%d", step)})
		}
		if len(instances) == 0 {
			continue
		}
		at := r.IntN(len(instances))
		in := instances[at]
		if now.After(in.until) {
			in.holding = nil // as its lease has it
		}
		hear := func(req contract.Join) *Roster {
			next := *stored
			next.Members, next.Holders = slices.Clone(stored.Members), slices.Clone(stored.Holders)
			next.Targets, next.Moved = slices.Clone(stored.Targets), slices.Clone(stored.Moved)
			hubs[owner].hear(&next, req, owner, partitions, now)
			stored = &next
			return stored
		}
		req := contract.Join{Instance: in.id, Holding: slices.Clone(in.holding), Generation: in.generation}
		switch r.IntN(20) {
		case 0: // dies
			instances = slices.Delete(instances, at, at+1)
			continue
		case 1: // leaves
			req.Holding, req.Leaving = nil, true
			hear(req)
			instances = slices.Delete(instances, at, at+1)
			continue
		case 2: // what it says gets lost for now
			in.late = append(in.late, req)
			continue
		case 3: // what it said arrives
			if len(in.late) > 0 {
				hear(in.late[0])
				in.late = in.late[1:]
			}
			continue
		}
		reply := hear(req)
		in.until = now.Add(TTL)
		assigned := reply.assigned(in.id)
		in.generation = reply.Generation
		// Some of what is to be given up is still at work.
		in.holding = slices.DeleteFunc(in.holding, func(p int) bool { return !slices.Contains(assigned, p) && r.IntN(2) == 0 })
		for _, p := range assigned {
			if !slices.Contains(in.holding, p) {
				in.holding = append(in.holding, p)
			}
		}
		held := make(map[int]string)
		for _, in := range instances {
			if now.After(in.until) {
				continue
			}
			for _, p := range in.holding {
				if other := held[p]; other != "" {
					t.Fatalf("step %d: partition %d is with %s and %s: %+v", step, p, other, in.id, stored)
				}
				held[p] = in.id
			}
		}
	}
}

func TestRosterTellsTheOldHolderFirst(t *testing.T) {
	r := &Roster{V: rosterForm}
	r.resize(2)
	r.apply(contract.Join{Instance: "a"})
	if got := r.assigned("a"); !slices.Equal(got, []int{0, 1}) {
		t.Fatalf("a has %v", got)
	}
	before := r.Generation
	r.apply(contract.Join{Instance: "b"})
	if got := r.assigned("b"); len(got) != 0 {
		t.Errorf("b has %v before a has let go", got)
	}
	if diff := cmp.Diff([]int{0}, r.assigned("a")); diff != "" {
		t.Error(diff)
	}
	r.apply(contract.Join{Instance: "a", Holding: []int{0}, Generation: before}) // from before it was told
	r.apply(contract.Join{Instance: "b"})
	if got := r.assigned("b"); len(got) != 0 {
		t.Errorf("b has %v by a word of a's that is older than the move", got)
	}
	r.apply(contract.Join{Instance: "a", Holding: []int{0}, Generation: r.Generation})
	r.apply(contract.Join{Instance: "b"})
	if diff := cmp.Diff([]int{1}, r.assigned("b")); diff != "" {
		t.Error(diff)
	}
}

// A hub that stood still has heard nobody, and blames nobody.
func TestHubThatStoodStillExpiresNobody(t *testing.T) {
	a, r, now := &presence{seen: map[string]time.Time{}}, &Roster{V: rosterForm}, time.Now()
	for _, id := range []string{"a", "b"} {
		a.hear(r, contract.Join{Instance: id}, "h", 2, now)
	}
	now = now.Add(time.Minute)
	a.hear(r, contract.Join{Instance: "b"}, "h", 2, now)
	if !slices.Equal(r.Members, []string{"a", "b"}) {
		t.Errorf("members %v", r.Members)
	}
	for range 4 {
		now = now.Add(TTL / 3)
		a.hear(r, contract.Join{Instance: "b"}, "h", 2, now)
	}
	if !slices.Equal(r.Members, []string{"b"}) {
		t.Errorf("members %v after a was silent for its time", r.Members)
	}
}

// A service's roster is one message, so its instances are bounded; those that
// are in it, and those that leave, are heard all the same.
func TestRosterIsBounded(t *testing.T) {
	r := &Roster{V: rosterForm}
	for i := range maxInstances {
		if req := (contract.Join{Instance: fmt.Sprintf("i%04d", i)}); r.full(req) || !r.apply(req) {
			t.Fatalf("instance %d does not get in", i)
		}
	}
	for instance, full := range map[string]bool{"new": true, "i0007": false} {
		if r.full(contract.Join{Instance: instance}) != full || r.full(contract.Join{Instance: instance, Leaving: true}) {
			t.Errorf("%s: full is %v", instance, !full)
		}
	}
}
