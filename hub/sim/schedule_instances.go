package sim

import (
	"maps"
	"math/rand/v2"
)

// openings are the actions that a run begins with.
func openings(random *rand.Rand) []Action {
	var script []Action
	if random.IntN(2) == 0 {
		script = append(script, Action{Verb: Batches})
	}
	if random.IntN(2) == 0 {
		script = append(script, Action{Verb: Instances, N: random.IntN(instanceBits)})
	}
	return script
}

// withInstances are the verbs' weights of a run with instances: fewer faults of the
// hubs, which other runs have, so that copies come to the instances.
func withInstances() [verbs]int {
	weights := usual
	for v := range weights {
		if Verb(v).Fault() {
			weights[v] = (weights[v] + 2) / 3
		}
	}
	for v, weight := range maps.All(map[Verb]int{
		Pull: 0, Crash: 0, Calm: 20, Trim: 4, TrimLane: 8, Pass: 8, Lag: 4,
		Go: 60, Due: 40, Join: 40, Begin: 60, Handle: 120, Poison: 4, Mend: 4,
		Kill: 5, Start: 30, Freeze: 6, Thaw: 30, Cut: 5, Leave: 4, Unpin: 3, Unconsume: 1,
	}) {
		weights[v] = weight
	}
	return weights
}

// onInstances makes an action of those that only runs with instances have.
func (s *scheduler) onInstances(v Verb) (Action, bool) {
	a := Action{Verb: v}
	if !s.w.instanced {
		return a, false
	}
	switch v { //nolint:exhaustive // the others follow
	case Poison:
		a.N = s.random.IntN(len(entities))
		return a, true
	case Mend, Unpin, Unconsume:
		a.On, a.N = s.service(), s.random.IntN(partitionCount)
		return a, true
	case Go:
		a.N = 1 + s.random.IntN(12)
	case Join:
		a.N = s.random.IntN(hubCount)
	case Handle:
		if a.N = outcomes * s.random.IntN(2); s.random.IntN(4) == 0 {
			a.N += s.random.IntN(outcomes)
		}
	}
	a.On = s.instance()
	return a, true
}

func (s *scheduler) instance() string {
	return s.w.members[s.random.IntN(len(s.w.members))].name
}

// process is a hub, or an instance where there are any.
func (s *scheduler) process() string {
	if s.w.instanced && s.random.IntN(3) > 0 {
		return s.instance()
	}
	return s.hub()
}
