package sim

// Shrink shortens a script that breaks a guarantee: it removes parts, smaller and
// smaller ones, as long as the rest breaks the same guarantee (Broken begins with the
// same letter). It plays at most the given number of scripts.
func Shrink(script []Action, cfg Config, plays int) Result {
	best := Play(script, cfg)
	if best.Broken == "" {
		return best
	}
	kind := best.Broken[0]
	for size := len(best.Script) / 2; size > 0 && plays > 0; {
		smaller := false
		for from := 0; from+size <= len(best.Script) && plays > 0; plays-- {
			without := append(append([]Action(nil), best.Script[:from]...), best.Script[from+size:]...)
			if r := Play(without, cfg); r.Broken != "" && r.Broken[0] == kind {
				best, smaller = r, true
				continue
			}
			from += size
		}
		if !smaller || size > len(best.Script) {
			size /= 2
		}
	}
	return best
}
