package sim

import (
	"math/rand/v2"
	"slices"
)

// Vary plays a script with a few actions removed, repeated or moved, as the seed picks;
// seed 0 plays the script as it is. If requests have changed since the script was
// written, a variation may still show the script's fault.
func Vary(script []Action, seed uint64, cfg Config) Result {
	random := rand.New(rand.NewPCG(seed, 1))
	varied := slices.Clone(script)
	for range 1 + random.IntN(8) {
		if len(varied) == 0 || seed == 0 {
			break
		}
		from, to := random.IntN(len(varied)), random.IntN(len(varied))
		a := varied[from]
		if kind := random.IntN(3); kind > 0 {
			varied = slices.Delete(varied, from, from+1)
			if kind == 1 {
				continue
			}
			to = min(to, len(varied))
		}
		varied = slices.Insert(varied, to, a)
	}
	return Play(varied, cfg)
}
