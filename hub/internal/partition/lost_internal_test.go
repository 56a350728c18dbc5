package partition

import (
	"slices"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// A roster that was deleted gives no partition to a second instance: a partition that no
// instance claims counts as held until its holder would have lost its lease.
func TestLostRosterGivesNoPartitionAway(t *testing.T) {
	const partitions = 3
	p, r, now := newPresence(), &Roster{V: rosterForm}, time.Now()
	r.lose(partitions, 7)
	join := func(req contract.Join, want ...int) {
		t.Helper()
		p.hear(r, req, "h", partitions, now)
		if got := r.assigned(req.Instance); !slices.Equal(got, want) {
			t.Errorf("%s is assigned %v, want %v: %+v", req.Instance, got, want, r)
		}
	}
	join(contract.Join{Instance: "new"})
	join(contract.Join{Instance: "old", Holding: []int{0}, Generation: 7}) // it has 0, and is not told yet
	join(contract.Join{Instance: "new", Generation: r.Generation})
	if r.Holders[0] != "old" || r.Holders[1] != unknownHolder || r.Holders[2] != unknownHolder {
		t.Errorf("holders %q", r.Holders)
	}
	// Whoever held 1 and 2 is silent for its time; the others are not.
	for range 4 {
		now = now.Add(TTL / 3)
		p.hear(r, contract.Join{Instance: "old", Holding: []int{0}, Generation: r.Generation}, "h", partitions, now)
		p.hear(r, contract.Join{Instance: "new", Generation: r.Generation}, "h", partitions, now)
	}
	if slices.Contains(r.Holders, unknownHolder) || r.Holders[0] == "" || slices.Contains(r.Holders, "") {
		t.Errorf("holders %q when the unknown one's time is over", r.Holders)
	}
}

// What is told of a roster leaves the silent out, and only on the word of the hub
// that keeps their times.
func TestPresentNamesNoSilentInstance(t *testing.T) {
	p, r, now := newPresence(), &Roster{V: rosterForm}, time.Now()
	p.hear(r, contract.Join{Instance: "a"}, "h", 1, now)
	if holder, next := r.Of(0); holder != "a" || next != "" {
		t.Fatalf("holder %q, next %q", holder, next)
	}
	later := now.Add(TTL + 1)
	p.prune(r, "another", later)
	if holder, _ := r.Of(0); holder != "a" {
		t.Errorf("a hub that does not keep the times tells of holder %q", holder)
	}
	p.prune(r, "h", later)
	if holder, _ := r.Of(0); holder != "" {
		t.Errorf("%q is told as the holder after its time", holder)
	}
	if holder, next := r.Of(7); holder != "" || next != "" {
		t.Errorf("a partition that is not there has holder %q, next %q", holder, next)
	}
}
