package world

import (
	"fmt"
	"math/rand/v2"

	"github.com/replhub/replhub/e2e/soak/tally"
)

// definition is a filter, in CEL for the hub and as a mask for the account.
type definition struct {
	filter string
	mask   tally.Mask
}

// choose makes a definition: no filter more often than others.
func choose(r *rand.Rand) definition {
	n := 1 + r.IntN(tally.Classes-1)
	d := definition{mask: tally.Every}
	switch r.IntN(5) {
	case 0:
		d.filter = fmt.Sprintf("data.c < %d", n)
	case 1:
		d.filter = fmt.Sprintf("data.c != %d", n)
	case 2:
		d.filter = "data.c % 2 == 0"
	default:
		return d
	}
	d.mask = 0
	for c := range tally.Classes {
		if c < n && d.filter[7] == '<' || c != n && d.filter[7] == '!' || c%2 == 0 && d.filter[7] == '%' {
			d.mask |= 1 << c
		}
	}
	return d
}
