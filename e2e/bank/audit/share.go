package audit

import (
	"maps"
	"slices"
	"time"
)

// Step is a moment at which instances came or went.
type Step struct {
	What string
	At   int64
	// Live are the instances from then on.
	Live []string
}

// Settled is what came of a step until the next.
type Settled struct {
	Step
	// Took is the time until each partition's handlers began where they went on
	// to begin, and nowhere else, until the next step.
	Took time.Duration
	// Shares are how many partitions each instance had in the end.
	Shares map[string]int
}

// JudgeShares looks at where the handlers of each partition began after each
// step: within a time, each partition is to be with a live instance and to stay
// there, and none is to have more than its share. It goes by what handlers did,
// so every partition must have had work all the time. The last step lasts until
// until.
func JudgeShares(r *Replica, partitions int, steps []Step, until int64, within time.Duration) (*Verdict, []Settled) {
	v := &Verdict{Service: r.Service, Handlings: len(r.Handlings)}
	sorted := byBegin(r.Handlings)
	settled := make([]Settled, len(steps))
	for i, step := range steps {
		end := until
		if i+1 < len(steps) {
			end = steps[i+1].At
		}
		var during []Handling
		for _, h := range sorted {
			if h.Begin >= step.At && h.Begin < end {
				during = append(during, h)
			}
		}
		settled[i] = v.settle(r, partitions, step, during)
		if took := settled[i].Took; took > within {
			v.found(Unshared, "%s: the last partition changed hands after %s", step.What, took.Round(time.Millisecond))
		}
	}
	return v, settled
}

// settle finds out who had what in the end, and since when.
func (v *Verdict) settle(r *Replica, partitions int, step Step, during []Handling) Settled {
	s := Settled{Step: step, Shares: make(map[string]int)}
	type hold struct {
		who   string
		since int64
	}
	holds := make(map[int]hold)
	for _, h := range during {
		if p := r.Partition(h.Key); holds[p].who != h.Instance {
			holds[p] = hold{h.Instance, h.Begin}
		}
	}
	for p := range partitions {
		h, ok := holds[p]
		switch {
		case !ok:
			v.found(Unshared, "%s: nobody began anything of partition %d", step.What, p)
			continue
		case !slices.Contains(step.Live, h.who):
			v.found(Unshared, "%s: partition %d is still with %s", step.What, p, h.who)
		}
		s.Shares[h.who]++
		s.Took = max(s.Took, time.Duration(h.since-step.At))
	}
	most := (partitions + len(step.Live) - 1) / len(step.Live)
	for _, who := range slices.Sorted(maps.Keys(s.Shares)) {
		if n := s.Shares[who]; n > most {
			v.found(Unshared, "%s: %s has %d partitions, its share is %d", step.What, who, n, most)
		}
	}
	return s
}
