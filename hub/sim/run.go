package sim

import (
	"math/rand/v2"
	"time"
)

// Result is the result of a run.
type Result struct {
	// Broken describes the first guarantee that was broken; empty if all hold.
	Broken string
	// Script are the actions up to the broken guarantee.
	Script []Action
	Counts Counts
}

// Run runs a world for a number of steps that the seed picks, heals it, and judges.
func Run(seed uint64, steps int, cfg Config) Result {
	random := rand.New(rand.NewPCG(seed, 0))
	w := NewWorld(cfg)
	script := openings(random, cfg)
	for _, a := range script {
		w.Do(a)
	}
	s := newScheduler(random, w)
	for range steps {
		a, ok := s.pick()
		if !ok {
			continue
		}
		script = append(script, a)
		if w.Do(a); w.check() {
			return Result{w.judge.broken, script, w.Counts}
		}
	}
	ending{w}.heal()
	return Result{w.judge.broken, script, w.Counts}
}

// Play runs a script, heals the world, and judges.
func Play(script []Action, cfg Config) Result {
	w := NewWorld(cfg)
	for i, a := range script {
		if w.Do(a); w.check() {
			return Result{w.judge.broken, script[:i+1], w.Counts}
		}
	}
	ending{w}.heal()
	return Result{w.judge.broken, script, w.Counts}
}

func (w *World) check() bool {
	w.judge.bounded()
	return w.judge.broken != ""
}

// ending is a world whose faults are over: all work must be finished, and is judged.
type ending struct{ *World }

// healSteps bounds the steps until all work must be finished.
const healSteps = 16_000

// eventSteps are those for each event: a lane that holds three copies takes one at a time.
const eventSteps = 100

// heal ends all faults, waits until all work is finished, and judges.
func (e ending) heal() {
	clear(e.away)
	e.healInstances()
	e.bound(ingestStream, 0)
	for _, s := range e.services {
		e.bound(s.text, 0)
		e.consume(s.text)
	}
	for i, h := range e.hubs {
		if h.frozen = false; !h.alive {
			e.hubs[i] = e.newHub(h.name)
		}
	}
	for i := range e.services {
		for n, h := range e.hubs {
			h.owns[i] = n == i%hubCount
			h.nudge(i)
		}
	}
	e.rest()
	e.settlePolicies()
	for i := range e.services {
		e.announce(i, nil) // hubs look at lanes of others every few seconds
	}
	if !e.rest() {
		e.judge.fail("V: it does not come to rest: %s", e.unrest())
		return
	}
	if e.judge.broken == "" {
		e.settleRegistry()
	}
	for i := range e.services {
		e.hubs[i%hubCount].finishRewind(i)
	}
	if !e.rest() {
		e.judge.fail("V: it does not come to rest behind a rewind: %s", e.unrest())
	}
	for _, s := range e.services {
		e.consume(s.text) // hubs look at consumers every few seconds, also behind the last rewind
	}
	e.drain()
	e.redriveAll()
	e.judge.settle()
	if e.judge.broken == "" {
		e.trimAll()
	}
}

// rest continues until no request is on its way and every lane stands at the end.
func (e ending) rest() bool {
	for range healSteps + eventSteps*len(e.judge.stored) {
		e.now = e.now.Add(time.Millisecond)
		if e.oneCall() {
			continue
		}
		if e.oneWake() {
			continue
		}
		if e.unrest() == "" {
			return true
		}
		e.now = e.now.Add(100 * time.Millisecond)
		if e.limit > 0 {
			e.makeRoom()
		}
	}
	return false
}

// settleRegistry has the hubs look at the registry until it says what is in force.
func (e ending) settleRegistry() {
	if !e.registry.on {
		return
	}
	const looks = 8
	for range looks {
		before, was, read := e.registry.records.Last, e.Counts.Registrations, e.hubs[0].book.connected && e.hubs[1].book.connected
		for _, h := range e.hubs {
			h.look()
		}
		if !e.rest() {
			e.judge.fail("V: it does not come to rest behind a look at the registry: %s", e.unrest())
			return
		}
		if e.registry.records.Last == before && e.Counts.Registrations == was && read {
			break // hubs that had read the registry found nothing to do
		}
	}
	e.registry.agreement()
}

// makeRoom has a worker of each service take a copy, since a lane may be full. The hubs
// finish rewinds that were cut short: until then, nothing is trimmed.
func (e ending) makeRoom() {
	e.now = e.now.Add(time.Second)
	for i, s := range e.services {
		e.hubs[i%hubCount].finishRewind(i)
		e.consume(s.text)
		e.work(Action{Verb: Pull, On: s.text})
	}
}

// calmSteps is how much arrives in one Calm.
const calmSteps = 60

func (w *World) calm() {
	for range calmSteps {
		w.now = w.now.Add(time.Millisecond)
		if !w.oneCall() && !w.oneWake() {
			return
		}
	}
}

// oneCall serves or answers a call.
func (w *World) oneCall() bool {
	for _, c := range w.calls {
		switch {
		case c.servable():
			w.serve(c)
			return true
		case c.tellable():
			w.tell(c)
			return true
		}
	}
	return false
}

// oneWake ends a wait that is over.
func (w *World) oneWake() bool {
	for _, h := range w.hubs {
		for i := range w.services {
			if h.open && h.alive && !h.frozen && (h.writers[i] == nil && w.begun(i) || h.writers[i] != nil && h.writers[i].ready()) {
				h.wake(i)
				return true
			}
		}
	}
	return false
}

// unrest describes the work that is not finished yet.
func (e ending) unrest() string {
	for _, h := range e.hubs {
		if !h.open {
			return h.name + " is not open"
		}
	}
	for i, s := range e.services {
		h := e.hubs[i%hubCount]
		if !e.begun(i) {
			continue // a registration that was not answered
		}
		l := h.writers[i]
		if l == nil {
			return "lane " + s.text + " has no writer"
		}
		state := l.lane.Tip().State
		switch {
		case len(l.changes) > 0:
			return "lane " + s.text + " has a change under way"
		case state.Detached != nil || len(state.Interests) == 0:
		case state.Pos.Seq != e.db.Info().Last || len(state.Fills) > 0 || l.batch != nil:
			return "lane " + s.text + " does not stand at the end"
		}
	}
	return ""
}

// drain makes the workers take all copies.
func (e ending) drain() {
	if e.instanced {
		e.drainInstances()
		return
	}
	e.now = e.now.Add(2 * ackWait)
	for _, s := range e.services {
		if e.lanes[s.text] == nil {
			continue
		}
		for range 4 * (len(e.judge.stored) + 10) {
			e.work(Action{Verb: Pull, On: s.text})
			for e.oneCall() {
				e.now = e.now.Add(time.Millisecond)
			}
		}
	}
}

// trimAll has ingest trimmed to its last event, once no registration is under way. A
// lane that resumed in another epoch says so with the next event.
func (e ending) trimAll() {
	e.publish(0)
	for _, d := range []time.Duration{0, time.Minute, 2 * keepIngest, 2 * keepIngest, 2 * keepIngest} {
		if e.now = e.now.Add(d); d > keepIngest {
			e.hubs[0].trim()
		}
		for i := range e.services {
			e.hubs[i%hubCount].nudge(i)
		}
		if !e.rest() {
			e.judge.fail("V: it does not come to rest behind a trim: %s", e.unrest())
		}
	}
	if info := e.db.Info(); info.Msgs > 1 {
		e.judge.fail("V: ingest is not trimmed: it holds %d to %d", info.First, info.Last)
	}
}
