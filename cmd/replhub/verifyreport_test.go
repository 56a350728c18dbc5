package main

import (
	"testing"

	"github.com/replhub/replhub/inbox"
)

// What the first comparison could not tell stays open after a repair, which compares the
// repaired rows alone.
func TestRepairDoesNotHideWhatWasNotCompared(t *testing.T) {
	for _, c := range []struct {
		first inbox.Verified
		after inbox.Verified
		equal bool
	}{
		{inbox.Verified{}, inbox.Verified{Equal: true}, true},
		{inbox.Verified{}, inbox.Verified{}, false},
		{inbox.Verified{Moving: 1}, inbox.Verified{Equal: true}, false},
		{inbox.Verified{Unjudged: 1}, inbox.Verified{Equal: true}, false},
		{inbox.Verified{Partly: true}, inbox.Verified{Equal: true}, false},
	} {
		if one := (&verifiedTable{Verified: c.first, After: &c.after}); one.equal() != c.equal {
			t.Errorf("equal is %v: %s", one.equal(), one.verdict())
		}
	}
}
