package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// errLost is a sender's error for a request without an answer.
var errLost = errors.New("no answer in time")

// errAway is the answer of a stream without a leader: nothing was done.
var errAway = errors.New("no leader")

// call is a request on its way to the server, or its answer on its way back.
type call struct {
	from *process
	what string
	// serve is what the server does; nil when it has been done. then takes the answer;
	// nil when no process waits for the answer.
	serve func() error
	then  func(error)
	err   error
	// stream is the stream whose leader gets the request; empty for the meta layer.
	stream string
	// batch is set for an open append, which is served message by message.
	batch *batch
}

// process is something that sends requests: a lane's writer, a trim, a publisher.
// When it is dead, its requests are still on their way.
type process struct {
	name string
	hub  *hub // nil for those that are no hub's
	// instance is whose process it is, where it is an instance's.
	instance *instance
	dead     bool
	// life is World.life at the last question to ingest, and forgets is World.forgets when
	// the ledger was last read.
	life, forgets int
}

func (p *process) frozen() bool {
	return p.hub != nil && p.hub.frozen || p.instance != nil && p.instance.frozen
}

// network are the requests and answers on their way, and the clock of the world.
type network struct {
	cfg   Config
	now   time.Time
	calls []*call
	ids   int

	Counts Counts
}

// Counts are a run's figures.
type Counts struct {
	Steps, Events, Faults, Copies, Effects, Registrations, Trimmed, LaneTrimmed int
	// Deliveries came to instances, Redelivered of these not for the first time. Letters
	// are dead letters, Handovers changes of who has a partition.
	Deliveries, Redelivered, Letters, Handovers int
	// Redriven are copies of dead letters that came back.
	Redriven int
	// Rewinds are those that were recorded.
	Rewinds int
	// Policies are the changes of policies that were in force.
	Policies int
}

// ask sends a request to a stream's leader. then is called with the request's error when
// the answer arrives or the sender gives up.
func (w *network) ask(p *process, stream, what string, serve func() error, then func(error)) *call {
	c := &call{from: p, what: what, stream: stream, serve: serve, then: then}
	w.calls = append(w.calls, c)
	return c
}

// serve makes the server process a request.
func (w *World) serve(c *call) {
	if c.batch != nil && c.batch.arrive(w, c.stream) {
		return
	}
	switch {
	case w.away[c.stream]:
		c.err = errAway
	case c.from.instance == nil && w.service(c.stream) >= 0 && w.lanes[c.stream] == nil:
		c.err = errNoLane
	default:
		c.err = c.serve()
	}
	w.trace("  %s: %s is served: %v", c.from.name, c.what, c.err)
	c.serve = nil
	if c.then == nil {
		w.drop(c) // no process waits for the answer
	}
}

// tell lets the answer arrive.
func (w *network) tell(c *call) {
	w.drop(c)
	if !c.from.dead && c.then != nil {
		c.then(c.err)
	}
}

// lose makes the sender give up.
func (w *network) lose(c *call) {
	then := c.then
	c.then = nil
	if c.serve == nil {
		w.drop(c)
	}
	if !c.from.dead && then != nil {
		then(errLost)
	}
}

func (w *network) drop(c *call) {
	if i := slices.Index(w.calls, c); i >= 0 {
		w.calls = slices.Delete(w.calls, i, i+1)
	}
}

// end ends a process. Its requests stay on their way.
func (w *network) end(p *process) {
	p.dead = true
	for _, c := range slices.Clone(w.calls) {
		if c.from == p {
			if c.then = nil; c.serve == nil {
				w.drop(c)
			}
		}
	}
}

// servable, tellable and losable are the calls that an action may take.
func (c *call) servable() bool { return c.serve != nil && (c.batch == nil || c.batch.waiting()) }
func (c *call) tellable() bool { return c.serve == nil && c.then != nil && !c.from.frozen() }
func (c *call) losable() bool  { return c.then != nil && !c.from.frozen() }

// onCall performs an action on the first call with a name for which it is possible.
func (w *network) onCall(name string, possible func(*call) bool, do func(*call)) {
	for _, c := range w.calls {
		if c.from.name == name && possible(c) {
			do(c)
			return
		}
	}
}

// callsBy are the names of the senders of the calls that an action may take.
func (w *network) callsBy(possible func(*call) bool) []string {
	var names []string
	for _, c := range w.calls {
		if possible(c) && !slices.Contains(names, c.from.name) {
			names = append(names, c.from.name)
		}
	}
	return names
}

// name is an id that no other has.
func (w *network) name(prefix string) string {
	w.ids++
	return fmt.Sprint(prefix, w.ids)
}

func (w *network) trace(format string, args ...any) {
	if w.cfg.Trace != nil {
		w.cfg.Trace(w.now.Format("04:05.000 ") + fmt.Sprintf(format, args...))
	}
}
