package sim

import (
	"errors"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/contract"
)

// change is a registration, or its end, on its way into a lane.
type change struct {
	w       *World
	service service
	self    *process
	entity  string
	end     bool
	start   retention.Start
	// asks for a start inside of what ingest holds, decided when it is looked at.
	middle bool
	anchor *retention.Anchor
	id     string
	since  uint64
	made   bool // the interest is this registration's
	began  time.Time
	// redefine says that the request states a definition, which may be another one than the
	// one in force. ended is called if the lane has ended an interest of the id.
	redefine bool
	ended    func()
	// renewed is set for a change that only renews the state record: always, or unless
	// the lane has a message behind the sequence after, where that is set.
	renewed func(error)
	after   uint64
	// lay lays another change over the state, and choose chooses the copies of a redrive.
	// laid takes the outcome.
	lay    func(record.Tip) (record.State, bool)
	choose func(*writer, record.Tip)
	laid   func(error)
	// plan plans a rewind, and answer takes the outcome.
	plan   func(*writer, record.Tip)
	answer func(core.Answer)
}

// register begins a registration at a hub.
func (h *hub) register(i int, a Action) {
	w := h.w
	c := &change{w: w, began: w.now, service: w.services[i], entity: entities[a.N%len(entities)], id: w.name("i")}
	c.self = &process{name: h.name + "/" + c.service.text + ".register", hub: h}
	c.anchor = retention.NewAnchor(c.service.text + "/" + c.id)
	c.redefine = a.Verb == Redefine
	c.start.All, c.middle, c.end = a.Verb == RegisterAll, a.Verb == RegisterAt, a.Verb == Unregister
	w.Counts.Registrations++
	if c.end {
		w.judge.ending(c.service.text, c.entity)
	}
	c.begin(h, i)
}

// adopt registers an interest that a record of the registry requests.
func (h *hub) adopt(i int, entity, id string, ended func()) {
	w := h.w
	c := &change{w: w, began: w.now, service: w.services[i], entity: entity, id: id, ended: ended}
	c.self = &process{name: h.name + "/" + c.service.text + ".register", hub: h}
	c.anchor = retention.NewAnchor(c.service.text + "/" + w.name("i"))
	w.Counts.Registrations++
	c.begin(h, i)
}

// errEnded refuses the id of an ended interest.
var errEnded = errors.New("an interest of this id was ended")

// begin finds the lane, which a registration creates where it is not there.
func (c *change) begin(h *hub, i int) {
	w := c.w
	if h.writers[i] != nil {
		c.queue(h, i)
		return
	}
	if c.end {
		return // not registered
	}
	w.readTip(c.self, c.service, func(_ record.Tip, err error) {
		switch {
		case errors.Is(err, errNoLane):
			c.create(h, i)
		case err == nil:
			c.queue(h, i)
		}
	})
}

// create creates the lane with its first state record.
func (c *change) create(h *hub, i int) {
	w := c.w
	h.perform(c.self, retention.End(*h.known, func(b retention.Bounds, l retention.Ledger) retention.Step {
		at := ingest.Mark{Position: l.PositionOf(b.Last), Time: b.LastTime}
		data, err := record.Encode(record.First(at, w.queueOf(c.service), w.limit))
		if err != nil {
			return retention.Done{Err: err}
		}
		w.ask(c.self, "", "create", func() error {
			if w.lanes[c.service.text] == nil {
				w.lanes[c.service.text] = model.NewStream(model.StreamConfig{Name: c.service.text}, w.now)
			}
			return nil
		}, func(err error) {
			if err != nil {
				return
			}
			w.ask(c.self, c.service.text, "first", func() error {
				_, err := w.lanes[c.service.text].Publish(stateMessage(c.service.name, data, 0), w.now)
				if w.begun(i) {
					return nil // another one that was first is as good
				}
				return err
			}, func(err error) {
				if err == nil {
					c.queue(h, i)
				}
			})
		})
		return retention.Done{}
	}), nil, func(error) {})
}

// queue hands the change to the lane's writer.
func (c *change) queue(h *hub, i int) {
	if h.find(i); h.writers[i] == nil {
		c.again(h, i)
		return
	}
	h.writers[i].changes = append(h.writers[i].changes, c)
	h.nudge(i)
}

// again begins a change whose lane is gone again. Only a registration creates a lane.
func (c *change) again(h *hub, i int) {
	switch {
	case c.renewed != nil:
		c.renewed(errNoLane)
	case c.laid != nil:
		c.laid(errNoLane)
	case c.answer != nil:
		c.answer(core.Answer{Err: errNoLane})
	case !c.end:
		c.begin(h, i)
	}
}

// edit lays the change over the lane's state.
func (c *change) edit(l *writer, tip record.Tip) {
	s := tip.State.Clone()
	edited := func(e core.Edited) {
		l.lane.Edited(e)
		l.turn()
	}
	have := s.Find(c.entity)
	switch {
	case c.renewed != nil:
		edited(core.Edited{Next: s, Changed: c.after == 0 || tip.Last <= c.after})
		return
	case c.choose != nil:
		c.choose(l, tip)
		return
	case c.plan != nil:
		c.plan(l, tip)
		return
	case c.lay != nil:
		next, changed := c.lay(tip)
		edited(core.Edited{Next: next, Changed: changed})
		return
	case c.end:
		edited(core.Edited{Next: s.End(c.entity), Changed: have != nil})
		return
	case have != nil && c.redefine:
		have.Ops, have.Rev = definitions[have.Rev%len(definitions)], have.Rev+1
		edited(core.Edited{Next: s, Changed: true})
		return
	case have != nil:
		c.made, c.since = have.ID == c.id, have.Since.Seq
		edited(core.Edited{Next: s})
		return
	case s.HasEnded(c.id):
		edited(core.Edited{Err: errEnded})
		return
	case len(s.Interests) == 0:
		c.resume(l, s)
		return
	}
	c.add(l, s, true)
}

// errPolicyUnknown refuses an interest in an entity whose policy is just being stored.
var errPolicyUnknown = errors.New("the entity has a policy that cannot be applied now")

// definitions are the operations of an interest, which a definition has in turn. Every
// event is an update.
//
//nolint:gochecknoglobals // a table
var definitions = [][]string{{"create", "update", "delete"}, {"update", "delete"}}

// resume moves the position of a lane without an interest, as package registration does:
// no cursor has noticed whether ingest was rolled back.
func (c *change) resume(l *writer, s record.State) {
	l.h.perform(l.self, retention.Resume(s.Pos, func(m ingest.Mark) retention.Step {
		s.Pos = m
		return retention.Done{}
	}), nil, func(err error) {
		behind := errors.Is(err, ingest.ErrTrimmed)
		if err == nil || behind {
			c.add(l, s, !behind)
			return
		}
		l.lane.Edited(core.Edited{Err: err})
		l.turn()
	})
}

// add adds the interest to the lane's state. proves says that an event proves the lane's
// position.
func (c *change) add(l *writer, s record.State, proves bool) {
	l.h.perform(l.self, c.anchor.Look(*l.h.known, func() retention.Step {
		start := c.start
		if b := c.anchor.Bounds(); c.middle && b.Messages > 0 {
			start.Seq = b.First + (b.Last-b.First)/2
		}
		return c.anchor.Begin(start, func(b retention.Beginning) retention.Step {
			add := func(compares bool) retention.Step {
				if !compares {
					l.lane.Recheck()
					return retention.Done{Err: errLost} // the service is told to ask again
				}
				in := record.Interest{ID: c.id, Entity: c.entity, Definition: contract.Definition{Ops: definitions[0]}, Since: b.At, Rev: 1}
				var known bool
				if in.Policy, known = c.policyOf(); !known {
					return retention.Done{Err: errPolicyUnknown}
				}
				c.made, c.since = true, b.At.Seq
				l.lane.Edited(core.Edited{Next: s.Add(in, b.Before), Changed: true})
				return retention.Done{}
			}
			if !proves {
				return add(true)
			}
			return l.h.known.Compares(s.Pos, add)
		})
	}), nil, func(err error) {
		if err != nil {
			l.lane.Edited(core.Edited{Err: err})
		}
		l.turn()
	})
}

// answered takes the lane's answer. The pin goes once the lane's state says what is
// due, and then the service is answered.
func (c *change) answered(l *writer, a core.Answer) {
	if c.renewed != nil {
		c.renewed(a.Err)
		return
	}
	if a.Recorded {
		c.w.announce(l.index, l.h)
	}
	switch {
	case c.laid != nil:
		c.laid(a.Err)
		return
	case c.answer != nil:
		c.answer(a)
		return
	}
	if errors.Is(a.Err, errEnded) && c.ended != nil {
		c.ended()
	}
	if a.Err == nil && c.end {
		l.h.removeRecord(c.service, c.entity)
	}
	if a.Err != nil || c.end {
		return // a pin of unknown use runs out
	}
	c.w.ask(c.self, c.service.text, "consumer", func() error {
		c.w.ensureConsumer(c.service, a.State)
		return nil
	}, func(err error) {
		if err == nil {
			c.release(l, a)
		}
	})
}

func (c *change) release(l *writer, a core.Answer) {
	l.h.perform(c.self, c.anchor.Release(func(held bool) retention.Step {
		if !held {
			return retention.Done{Err: errLost} // the service is told to ask again
		}
		return retention.Done{}
	}), nil, func(err error) {
		if err == nil {
			c.w.judge.registered(c, a.State)
			l.h.writeThrough(c.service, a.State, c.id)
		}
	})
}
