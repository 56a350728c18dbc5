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
	w.heal()
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
	w.heal()
	return Result{w.judge.broken, script, w.Counts}
}

func (w *World) check() bool {
	w.judge.bounded()
	return w.judge.broken != ""
}

// healSteps bounds the steps until all work must be finished.
const healSteps = 8000

// eventSteps are those for each event: a lane that holds three copies takes one at a time.
const eventSteps = 100

// heal ends all faults, waits until all work is finished, and judges.
func (w *World) heal() {
	clear(w.away)
	w.healInstances()
	w.bound(ingestStream, 0)
	for _, s := range w.services {
		w.bound(s.text, 0)
		w.consume(s.text)
	}
	for i, h := range w.hubs {
		if h.frozen = false; !h.alive {
			w.hubs[i] = w.newHub(h.name)
		}
	}
	for i := range w.services {
		for n, h := range w.hubs {
			h.owns[i] = n == i%hubCount
			h.nudge(i)
		}
	}
	w.rest()
	for i := range w.services {
		w.announce(i, nil) // hubs look at lanes of others every few seconds
	}
	if !w.rest() {
		w.judge.fail("V: it does not come to rest: %s", w.unrest())
		return
	}
	w.drain()
	w.judge.settle()
	if w.judge.broken == "" {
		w.trimAll()
	}
}

// rest continues until no request is on its way and every lane stands at the end.
func (w *World) rest() bool {
	for range healSteps + eventSteps*len(w.judge.stored) {
		w.now = w.now.Add(time.Millisecond)
		if w.oneCall() {
			continue
		}
		if w.oneWake() {
			continue
		}
		if w.unrest() == "" {
			return true
		}
		w.now = w.now.Add(100 * time.Millisecond)
		if w.limit > 0 {
			w.makeRoom()
		}
	}
	return false
}

// makeRoom has a worker of each service take a copy, since a lane may be full.
func (w *World) makeRoom() {
	w.now = w.now.Add(time.Second)
	for _, s := range w.services {
		w.consume(s.text)
		w.work(Action{Verb: Pull, On: s.text})
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
			if h.open && h.alive && !h.frozen && (h.writers[i] == nil && w.lanes[w.services[i].text] != nil || h.writers[i] != nil && h.writers[i].ready()) {
				h.wake(i)
				return true
			}
		}
	}
	return false
}

// unrest describes the work that is not finished yet.
func (w *World) unrest() string {
	for _, h := range w.hubs {
		if !h.open {
			return h.name + " is not open"
		}
	}
	for i, s := range w.services {
		h := w.hubs[i%hubCount]
		if w.lanes[s.text] == nil || w.lanes[s.text].Info().Last == 0 {
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
		case state.Pos.Seq != w.db.Info().Last || len(state.Fills) > 0 || l.batch != nil:
			return "lane " + s.text + " does not stand at the end"
		}
	}
	return ""
}

// drain makes the workers take all copies.
func (w *World) drain() {
	if w.instanced {
		w.drainInstances()
		return
	}
	w.now = w.now.Add(2 * ackWait)
	for _, s := range w.services {
		if w.lanes[s.text] == nil {
			continue
		}
		for range 4 * (len(w.judge.stored) + 10) {
			w.work(Action{Verb: Pull, On: s.text})
			for w.oneCall() {
				w.now = w.now.Add(time.Millisecond)
			}
		}
	}
}

// trimAll has ingest trimmed to its last event, once no registration is under way. A
// lane that resumed in another epoch says so with the next event.
func (w *World) trimAll() {
	w.publish(0)
	for _, d := range []time.Duration{0, time.Minute, 2 * keepIngest, 2 * keepIngest, 2 * keepIngest} {
		if w.now = w.now.Add(d); d > keepIngest {
			w.hubs[0].trim()
		}
		for i := range w.services {
			w.hubs[i%hubCount].nudge(i)
		}
		if !w.rest() {
			w.judge.fail("V: it does not come to rest behind a trim: %s", w.unrest())
		}
	}
	if info := w.db.Info(); info.Msgs > 1 {
		w.judge.fail("V: ingest is not trimmed: it holds %d to %d", info.First, info.Last)
	}
}
