package sim

import (
	"maps"
	"math/rand/v2"
)

// openings are the actions that a run begins with.
func openings(random *rand.Rand, cfg Config) []Action {
	var script []Action
	if random.IntN(2) == 0 {
		script = append(script, Action{Verb: Batches})
	}
	if random.IntN(4) == 0 {
		script = append(script, Action{Verb: Registry})
	}
	if random.IntN(4) == 0 {
		script = append(script, Action{Verb: Policies})
	}
	if random.IntN(2) > 0 || cfg.Plain {
		if random.IntN(3) == 0 {
			script = append(script, Action{Verb: Limit, N: 1000 + random.IntN(4000)})
		}
		return script
	}
	// The lanes are there soon, and some of the rows' events.
	return append(script, Action{Verb: Instances, N: random.IntN(instanceBits)},
		Action{Verb: Calm}, Action{Verb: Register, On: "h1/a"}, Action{Verb: Calm}, Action{Verb: Register, On: "h1/b"},
		Action{Verb: Calm}, Action{Verb: Calm}, Action{Verb: Burst, N: 1 + random.IntN(8)}, Action{Verb: Calm})
}

// withInstances are the verbs' weights of a run with instances: fewer faults of the
// hubs, which other runs have, so that copies come to the instances.
func withInstances(random *rand.Rand) [verbs]int {
	weights := usual
	for v := range weights {
		if Verb(v).Fault() {
			weights[v] = (weights[v] + 2) / 3
		}
	}
	for v, weight := range maps.All(map[Verb]int{
		Pull: 0, Crash: 0, Calm: 30, Trim: 4, TrimLane: 8, Pass: 10, Lag: 4, Serve: 300, Tell: 300, Wake: 100, Publish: 10, Burst: 20,
		Go: 120, Due: 60, Join: 60, Begin: 80, Handle: 160, Poison: 8, Consume: 4,
		Kill: 8, Start: 30, Freeze: 8, Thaw: 30, Cut: 8, Leave: 4, Unpin: 3, Redrive: 10, Rewind: 3, Finish: 6, Unconsume: 1, Restart: 5,
	}) {
		weights[v] = weight
	}
	weights[Handle] /= [...]int{1, 1, 4, 20}[random.IntN(4)]
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
	case Consume, Unpin, Unconsume:
		a.On, a.N = s.service(), s.random.IntN(partitionCount)
		return a, true
	case Go:
		if a.N = 1 + s.random.IntN(12); s.random.IntN(2) == 0 {
			a.N += slowHandlers
		}
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

// process takes an action on a hub, or on an instance where there are any.
func (s *scheduler) process(v Verb) Action {
	if s.w.instanced && s.random.IntN(3) > 0 {
		return Action{Verb: v, On: s.instance(), N: s.random.IntN(2)}
	}
	return Action{Verb: v, On: s.hub()}
}

// seconds is how long a pause is. An instance's lease is over after three.
func (s *scheduler) seconds() int {
	if s.w.instanced {
		return [...]int{1, 1, 1, 2, 2, 3, 40}[s.random.IntN(7)]
	}
	return [...]int{1, 1, 1, 10, 40, 200, 700}[s.random.IntN(7)]
}
