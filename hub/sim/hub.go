package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/history"
	"github.com/replhub/replhub/hub/internal/partition"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/subjects"
)

const ledgerSubject = "l"

// hub is one hub's process.
type hub struct {
	w      *World
	name   string
	alive  bool
	frozen bool
	// open says that the hub knows ingest: it begins nothing before.
	open  bool
	known *retention.Ledger
	// inForce are the policies that the hub has read to be in force, by entity.
	inForce map[string]uint64
	// sawLedger is World.forgets when the hub read the ledger that it remembers.
	sawLedger int
	self      *process
	writers   []*writer // by service; nil before the hub knows the lane
	owns      []bool    // by service
	trimming  bool
	// standings of the lanes' consumers, and whether a trim of a lane is under way.
	standings    []history.Standings
	trimmingLane []bool
	// rewinding says that a rewind of a lane is planned and recorded.
	rewinding []bool
	// hearings are of the instances of each service.
	hearings []*hearings
	clock    clock
	book     book
	// connection counts how often the hub's connection was lost.
	connection int
}

// newHub starts a hub, which opens ingest first.
func (w *World) newHub(name string) *hub {
	h := &hub{w: w, name: name, alive: true, writers: make([]*writer, len(w.services)), owns: make([]bool, len(w.services))}
	h.standings, h.trimmingLane = make([]history.Standings, len(w.services)), make([]bool, len(w.services))
	h.rewinding = make([]bool, len(w.services))
	h.inForce = make(map[string]uint64)
	h.self = &process{name: name, hub: h}
	for range w.services {
		h.hearings = append(h.hearings, &hearings{Hearing: partition.NewHearing()})
	}
	h.clock = clock{at: w.now, reads: w.now.Add(w.skew[name])}
	for i := range h.owns {
		h.owns[i] = name == ownerOf(i)
	}
	h.begin()
	if w.registry.on {
		h.load()
	}
	return h
}

// ownerOf is the hub that owns a lane by itself; a run has others believe it as well.
func ownerOf(service int) string { return fmt.Sprint("h", 1+service%hubCount) }

// begin opens ingest, until it works.
func (h *hub) begin() {
	h.perform(h.self, retention.Identify(0, func(retention.Found) retention.Step { return retention.Done{} }), nil, func(err error) {
		if err != nil {
			h.begin()
			return
		}
		h.open = true
		for i := range h.writers {
			h.find(i)
		}
	})
}

// find takes up a lane that is there.
func (h *hub) find(i int) {
	if h.writers[i] == nil && h.w.begun(i) {
		h.writers[i] = newWriter(h, i)
		h.writers[i].turn()
	}
}

func (h *hub) kill() {
	h.alive = false
	delete(h.w.registry.sessions, h)
	for _, p := range h.processes() {
		h.w.end(p)
	}
}

// processes are all that dies with the hub.
func (h *hub) processes() []*process {
	seen := []*process{h.self}
	for _, l := range h.writers {
		if l != nil {
			seen = append(seen, l.self)
		}
	}
	for _, c := range h.w.calls {
		if c.from.hub == h {
			seen = append(seen, c.from)
		}
	}
	return seen
}

// onHub takes an action on a hub: "h1", or "h1/a" for a service's lane there.
func (w *World) onHub(a Action) {
	name, lane := cut(a.On)
	for i, h := range w.hubs {
		if h.name == name {
			w.toHub(i, h, a, w.service(lane))
			return
		}
	}
}

func (w *World) toHub(i int, h *hub, a Action, service int) {
	switch a.Verb { //nolint:exhaustive // the others follow
	case Skew:
		w.skew[h.name] = time.Duration(a.N) * time.Second
		return
	case Drift:
		h.clock.drift(w.now, a.N)
		return
	case Start:
		if !h.alive {
			w.hubs[i] = w.newHub(h.name)
		}
		return
	case Thaw:
		h.frozen = false
		return
	}
	if !h.alive || h.frozen {
		return
	}
	h.take(a, service)
}

// take takes an action that only a hub can do that runs.
func (h *hub) take(a Action, service int) {
	switch a.Verb {
	case Kill:
		h.kill()
	case Freeze:
		h.frozen = true
	case Trim:
		h.trim()
	case Look, Expire, Policy, Enforce:
		h.onRegistry(a)
	case TrimLane:
		if service >= 0 && h.open {
			h.trimLane(service)
		}
	case Wake:
		if service >= 0 {
			h.wake(service)
		}
	case Own, Disown:
		if service >= 0 {
			h.owns[service] = a.Verb == Own
			h.recheck(service)
		}
	case Redrive, Rewind, Finish:
		if service >= 0 && h.open {
			h.onWorkers(a, service)
		}
	default:
		if service >= 0 && h.open {
			h.register(service, a)
		}
	}
}

// onRegistry takes an action on the registry.
func (h *hub) onRegistry(a Action) {
	switch {
	case a.Verb == Look:
		h.look()
	case a.Verb == Expire:
		h.expire()
	case !h.open:
	case a.Verb == Policy:
		h.setPolicy(a.N)
	case a.Verb == Enforce:
		h.lookAtPolicies()
	}
}

// onWorkers takes an action on the workers of a lane.
func (h *hub) onWorkers(a Action, service int) {
	switch a.Verb { //nolint:exhaustive // take takes the others
	case Redrive:
		h.redrive(service)
	case Rewind:
		h.rewind(service, a.N)
	case Finish:
		h.finishRewind(service)
	}
}

// begun reports whether a lane has its first state record. No hub takes it up before.
func (w *servers) begun(service int) bool {
	l := w.lanes[w.services[service].text]
	return l != nil && l.Info().Last > 0
}

func (w *servers) service(text string) int {
	for i, s := range w.services {
		if s.text == text {
			return i
		}
	}
	return -1
}

// cut splits "h1/a" at the first slash.
func cut(name string) (before, after string) {
	before, after, _ = strings.Cut(name, "/")
	return before, after
}

// perform takes the steps of an operation on ingest, each with a request of its own.
func (h *hub) perform(p *process, step retention.Step, lanes func(func(retention.Need, error)), done func(error)) {
	w := h.w
	next := func(step retention.Step) { h.perform(p, step, lanes, done) }
	// answer goes on with what the request found, or ends with its error.
	answer := func(step func() retention.Step) func(error) {
		return func(err error) {
			if err != nil {
				done(err)
				return
			}
			next(step())
		}
	}
	switch s := step.(type) {
	case retention.Done:
		done(s.Err)
	case retention.Look:
		var b retention.Bounds
		var at time.Time
		w.ask(p, ingestStream, "look", func() error { b, at, p.life = bounds(w.db), w.now, w.life; return nil },
			answer(func() retention.Step {
				h.clock.hear(w.now, at)
				return s.Then(b, at)
			}))
	case retention.ReadTime:
		var m model.Message
		var found bool
		w.ask(p, ingestStream, "time", func() error {
			var err error
			m, err = w.db.Get(s.Seq)
			found, p.life = err == nil, w.life
			return nil
		}, answer(func() retention.Step { return s.Then(m.Time, found) }))
	case retention.ReadNext:
		var m model.Message
		var found bool
		w.ask(p, ingestStream, "next", func() error {
			var err error
			m, err = w.db.GetNext(s.Seq, ">")
			found, p.life = err == nil, w.life
			return nil
		}, answer(func() retention.Step { return s.Then(m.Seq, m.Time, found) }))
	case retention.ReadLedger:
		h.readLedger(p, s, answer)
	case retention.WriteLedger:
		h.writeLedger(p, s, answer)
	case retention.Remember:
		h.remember(p, &s.Ledger)
		next(s.Then())
	case retention.LookAtLanes:
		lanes(func(n retention.Need, err error) {
			answer(func() retention.Step { return s.Then(n) })(err)
		})
	case retention.Fence:
		h.fence(p, s, func(unknown map[subjects.Name]error, err error) {
			answer(func() retention.Step { return s.Then(unknown) })(err)
		})
	case retention.Purge:
		// The server has no purge that states what it was decided on: a stream that is
		// deleted or rolled back, or a ledger that is deleted, between the last question
		// and the purge is not simulated.
		life, forgets := p.life, p.forgets
		w.ask(p, ingestStream, "purge", func() error {
			if life == w.life && forgets == w.forgets {
				w.Counts.Trimmed += int(w.db.Purge(s.Below))
				clear(w.copies) // a lane that is put back further than ingest reaches is detached
			}
			return nil
		}, answer(s.Then))
	}
}

// bounds are what a stream's leader says of ingest.
func bounds(s *model.Stream) retention.Bounds {
	info := s.Info()
	b := retention.Bounds{First: max(info.First, 1), Last: info.Last, FirstTime: info.FirstTime, Messages: info.Msgs, Bytes: uint64(info.Bytes), Created: info.Created}
	if info.Msgs == 0 {
		b.First = b.Last + 1
		return b
	}
	if last, err := s.Get(info.Last); err == nil {
		b.LastTime = last.Time
	}
	return b
}
