package sim

import (
	"errors"
	"slices"
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

// ask sends a request to a stream's leader. then is called with the request's error when
// the answer arrives or the sender gives up.
func (w *World) ask(p *process, stream, what string, serve func() error, then func(error)) *call {
	c := &call{from: p, what: what, stream: stream, serve: serve, then: then}
	w.calls = append(w.calls, c)
	return c
}

// serve makes the server process a request.
func (w *World) serve(c *call) {
	if c.batch != nil && c.batch.arrive(w, c.stream) {
		return
	}
	if w.away[c.stream] {
		c.err = errAway
	} else {
		c.err = c.serve()
	}
	w.trace("  %s: %s is served: %v", c.from.name, c.what, c.err)
	c.serve = nil
	if c.then == nil {
		w.drop(c) // no process waits for the answer
	}
}

// tell lets the answer arrive.
func (w *World) tell(c *call) {
	w.drop(c)
	if !c.from.dead && c.then != nil {
		c.then(c.err)
	}
}

// lose makes the sender give up.
func (w *World) lose(c *call) {
	then := c.then
	c.then = nil
	if c.serve == nil {
		w.drop(c)
	}
	if !c.from.dead && then != nil {
		then(errLost)
	}
}

func (w *World) drop(c *call) {
	if i := slices.Index(w.calls, c); i >= 0 {
		w.calls = slices.Delete(w.calls, i, i+1)
	}
}

// end ends a process. Its requests stay on their way.
func (w *World) end(p *process) {
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
