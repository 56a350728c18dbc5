package hub

import (
	"errors"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

func TestWhatKeepsAFullIngest(t *testing.T) {
	for name, c := range map[string]struct {
		pinning
		want string
	}{
		"a lane":                     {pinning{lane: "a", lowest: 10, old: 500, first: 5, last: 1000}, contract.FullByLane},
		"one that stands at the end": {pinning{lowest: 1000, old: 900, first: 5, last: 1000}, contract.FullByNothing},
		"a lane among the young":     {pinning{lane: "a", lowest: 990, old: 20, first: 5, last: 1000}, contract.FullByYoung},
		"all is young":               {pinning{lane: "a", lowest: 10, old: 5, first: 5, last: 1000}, contract.FullByYoung},
		"a registration":             {pinning{lane: "a", lowest: 10, pin: 5, pinned: true, old: 500, first: 5, last: 1000}, contract.FullByRegistration},
		"one behind the lane":        {pinning{lane: "a", lowest: 10, pin: 15, pinned: true, old: 500, first: 5, last: 1000}, contract.FullByLane},
		"unknown":                    {pinning{err: errors.New("no leader"), lane: "a", lowest: 10, old: 500, first: 5, last: 1000}, contract.FullByUnknown},
	} {
		if got := c.by(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
