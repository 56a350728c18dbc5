package sim

import (
	"fmt"
	"math/rand/v2"
)

// scheduler picks the actions of a run. Each run has weights of its own, in which some
// verbs do not occur at all: a run of everything at once finds little.
type scheduler struct {
	random  *rand.Rand
	w       *World
	weights [verbs]int
	total   int
}

// usual are the verbs' weights before a run changes them.
//
//nolint:gochecknoglobals // a table
var usual = [verbs]int{
	Serve: 400, Tell: 400, Lose: 15, Wake: 150, Pass: 15, Publish: 40, Retry: 12, Burst: 15,
	Register: 6, RegisterAll: 6, RegisterAt: 6, Unregister: 5, Trim: 12, TrimLane: 25, Pull: 50, Crash: 10,
	Kill: 4, Start: 20, Freeze: 4, Thaw: 20, Own: 8, Disown: 4,
	Rollback: 2, Recreate: 1, Forget: 1, Restart: 3, Away: 5, Back: 30, Lag: 25,
	Full: 4, Room: 25, Copy: 12, Restore: 3, Delete: 1, Unconsume: 2, Consume: 15, Skew: 3, Drift: 3, Calm: 4,
	Look: 20, Redefine: 4, ByHand: 4, Vanish: 3, Wipe: 1, Expire: 3,
	Rewind: 4, Finish: 8, Policy: 6, Enforce: 10,
}

func newScheduler(random *rand.Rand, w *World) *scheduler {
	s := &scheduler{random: random, w: w, weights: usual}
	if w.instanced {
		s.weights = withInstances(random)
	}
	for v := Look; v <= Expire && !w.registry.on; v++ {
		s.weights[v] = 0
	}
	if !w.policies.on {
		s.weights[Policy], s.weights[Enforce] = 0, 0
	}
	defer s.sum()
	defer s.storm()
	for v := range s.weights {
		verb := Verb(v)
		switch {
		case verb.Fault() && random.IntN(2) == 0:
			s.weights[v] = 0
		case verb.Fault():
			s.weights[v] *= 1 + random.IntN(3)
		case verb >= Pass:
			s.weights[v] = s.weights[v] * (1 + random.IntN(4)) / 2
		}
	}
	return s
}

// storm makes one fault ten times as frequent as usual, in about half of the runs.
func (s *scheduler) storm() {
	if verb := Verb(s.random.IntN(int(verbs))); verb.Fault() && verb != Lose {
		s.weights[verb] = 10 * usual[verb]
	}
}

// sum ends the choice of weights. A run in which both the ledger is deleted and ingest
// loses events is not simulated: nothing is left then that shows the loss.
func (s *scheduler) sum() {
	if s.weights[Forget] > 0 && s.random.IntN(2) == 0 {
		s.weights[Rollback], s.weights[Recreate] = 0, 0
	} else {
		s.weights[Forget] = 0
	}
	for _, weight := range s.weights {
		s.total += weight
	}
}

// pick picks the next action; ok is false where what was picked is not possible.
func (s *scheduler) pick() (a Action, ok bool) {
	n := s.random.IntN(s.total)
	for v, weight := range s.weights {
		if n -= weight; n < 0 {
			switch {
			case Verb(v) >= Redrive:
				return s.onWorkers(Verb(v))
			case Verb(v) > Calm:
				return s.onInstances(Verb(v))
			}
			return s.make(Verb(v))
		}
	}
	return Action{}, false
}

func (s *scheduler) make(v Verb) (Action, bool) {
	a := Action{Verb: v}
	var names []string
	switch v {
	case Serve:
		names = s.w.callsBy((*call).servable)
	case Tell:
		names = s.w.callsBy((*call).tellable)
	case Lose:
		names = s.w.callsBy((*call).losable)
	case Wake:
		names = s.waiting()
	default:
		return s.named(a), true
	}
	if len(names) == 0 {
		return a, false
	}
	a.On = names[s.random.IntN(len(names))]
	return a, true
}

// onWorkers is an action of a hub on the workers of a service.
func (s *scheduler) onWorkers(v Verb) (Action, bool) {
	a := Action{Verb: v, On: s.hub() + "/" + s.service()}
	switch v { //nolint:exhaustive // the others have no number
	case Rewind:
		a.N = s.random.IntN(12)
	case Policy, Enforce:
		a.On, a.N = s.hub(), s.random.IntN(len(entities)*len(fieldsOf))
	}
	return a, true
}

// named is an action that is always possible.
func (s *scheduler) named(a Action) Action {
	switch a.Verb {
	case Pass:
		a.N = s.seconds()
	case Publish:
		a.N = s.random.IntN(len(entities))
	case Restart:
		a.N = s.random.IntN(2)
	case Retry, Recreate, Forget, Calm, Wipe:
	case Rollback, Burst:
		a.N = 1 + s.random.IntN(5)
	case Full, Room:
		a.On = [...]string{ingestStream, "a", "b"}[s.random.IntN(3)]
	case Away, Back:
		if a.On = [...]string{ingestStream, ledgerStream, "a", "b", registryStream}[s.random.IntN(5)]; a.On == registryStream && !s.w.registry.on {
			a.On = ingestStream
		}
	case Skew, Drift:
		a.On, a.N = s.hub(), [...]int{-50, -10, -1, 0, 1, 10, 100}[s.random.IntN(7)]
		if a.Verb == Skew {
			a.N *= 60
		}
	case Pull, Crash, Lag, Delete, Unconsume, Consume:
		a.On = s.service()
	case ByHand, Vanish:
		a.On, a.N = s.service(), s.random.IntN(len(entities))
	case Copy, Restore:
		return s.backup(a)
	case Kill, Start, Freeze, Thaw:
		return s.process(a.Verb)
	case Trim, Look, Expire:
		a.On = s.hub()
	default:
		a.On = s.hub() + "/" + s.service()
		a.N = s.random.IntN(len(entities))
	}
	return a
}

// backup is an action on a copy of a lane, or of the registry.
func (s *scheduler) backup(a Action) Action {
	if a.On = s.service(); s.w.registry.on && s.random.IntN(2) == 0 {
		a.On = registryStream
	} else if a.Verb == Restore {
		a.N = s.random.IntN(2)
	}
	return a
}

func (s *scheduler) hub() string { return fmt.Sprint("h", 1+s.random.IntN(hubCount)) }

func (s *scheduler) service() string { return s.w.services[s.random.IntN(serviceCount)].text }

// waiting are the writers whose wait may end.
func (s *scheduler) waiting() []string {
	var names []string
	for _, h := range s.w.hubs {
		for i, l := range h.writers {
			if h.open && h.alive && !h.frozen && (l == nil && s.w.begun(i) || l != nil && l.ready()) {
				names = append(names, h.name+"/"+s.w.services[i].text)
			}
		}
	}
	return names
}
