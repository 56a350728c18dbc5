package sim

import (
	"math/rand/v2"
	"slices"
)

// Vary plays a script with a few actions taken out, repeated or moved, as the seed
// picks; seed 0 plays it as it is. It finds again what a script showed whose requests
// have changed since.
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
