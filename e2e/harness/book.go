package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/replhub/replhub/e2e/judge"
	"github.com/replhub/replhub/internal/contract"
)

// service is what the world knows of one service's registrations.
type service struct {
	name       string
	partitions int
	// registrations in their order, ended ones included.
	registrations []*judge.Registration
	// filling are the registrations that began with older events, until the hub says that
	// these are copied.
	filling map[*judge.Registration]bool
}

// open is the registration of an entity in force, nil when there is none.
func (s *service) open(entity string) *judge.Registration {
	for _, r := range slices.Backward(s.registrations) {
		if r.Entity == entity && r.Until == 0 {
			return r
		}
	}
	return nil
}

// Want is one interest, in the words of the hub and in Go for the judge.
type Want struct {
	Entity string
	// Start as in a registration; "new" by default.
	Start string
	// Filter is CEL; Definition.Pass says the same in Go.
	Filter string
	judge.Definition
}

func (wt Want) interest() contract.Interest {
	return contract.Interest{
		Entity: wt.Entity, Start: contract.Start(wt.Start),
		Definition: contract.Definition{Ops: wt.Ops, Filter: wt.Filter, Fields: wt.Fields, Echo: wt.Echo},
	}
}

// Register registers interests until it is answered, notes the reply, and
// fails the test when it is refused.
func (w *World) Register(name string, wants ...Want) contract.Registered {
	w.tb.Helper()
	return w.RegisterQueue(name, nil, wants...)
}

// RegisterQueue is Register with a queue.
func (w *World) RegisterQueue(name string, queue *contract.Queue, wants ...Want) contract.Registered {
	w.tb.Helper()
	request := contract.Register{Queue: queue}
	for _, wt := range wants {
		request.Interests = append(request.Interests, wt.interest())
	}
	data, err := json.Marshal(request)
	if err != nil {
		w.tb.Fatalf("encode a registration: %v", err)
	}
	w.noteFilled(w.service(name))
	var reply contract.Registered
	clean, err := w.insist("replhub.register."+name, string(data), &reply)
	if err != nil {
		w.tb.Fatalf("register %s %s: %v", name, data, err)
	}
	if queue != nil && queue.Order == "key" {
		w.service(name).partitions = queue.Partitions
	}
	for _, wt := range wants {
		w.note(name, wt, reply, clean)
	}
	return reply
}

// note lays a reply down in the book.
func (w *World) note(name string, wt Want, reply contract.Registered, clean bool) {
	w.tb.Helper()
	since, ok := reply.Since[wt.Entity]
	if !ok {
		w.tb.Fatalf("the reply of %s says no since of %s: %+v", name, wt.Entity, reply)
	}
	s := w.service(name)
	have := s.open(wt.Entity)
	if have == nil {
		r := &judge.Registration{
			Service: name, Entity: wt.Entity, Since: judge.Position{Epoch: reply.Epoch, Seq: since},
			Versions: []judge.Version{{Definition: wt.Definition}},
		}
		if n := len(s.registrations); n > 0 {
			for _, old := range s.registrations {
				if old.Entity == wt.Entity {
					r.After = max(r.After, old.Until)
				}
			}
		}
		s.registrations = append(s.registrations, r)
		s.filling[r] = wt.Start != "" && wt.Start != "new"
		return
	}
	if have.Since.Seq != since {
		w.tb.Errorf("%s: since of %s moved from %d to %d", name, wt.Entity, have.Since.Seq, since)
	}
	v := judge.Version{Definition: wt.Definition, From: reply.Seq, By: reply.Seq}
	if !clean || s.filling[have] {
		v.From = have.Versions[len(have.Versions)-1].From
	}
	have.Versions = append(have.Versions, v)
}

// noteFilled notes that a service has the older events of its registrations. Until then a
// new definition also applies to the older events that are not copied yet, and the reply
// says only from which live event on it applies.
func (w *World) noteFilled(s *service) {
	if !slices.Contains(slices.Collect(maps.Values(s.filling)), true) {
		return
	}
	var status contract.LaneStatus
	if err := w.Call("replhub.describe."+s.name, "", &status); err == nil && status.Fill == nil && len(status.OtherFills) == 0 {
		clear(s.filling)
	}
}

// NoteByHand lays a registration down that was not made by a request.
func (w *World) NoteByHand(name string, wt Want, since judge.Position) {
	w.service(name).registrations = append(w.service(name).registrations, &judge.Registration{
		Service: name, Entity: wt.Entity, Since: since, Versions: []judge.Version{{Definition: wt.Definition}},
	})
}

// Unregister ends interests, all when none is named, until it is answered. The lane
// holds nothing more for these interests afterwards than it holds then.
func (w *World) Unregister(name string, entities ...string) contract.Unregistered {
	w.tb.Helper()
	data, err := json.Marshal(contract.Unregister{Entities: entities})
	if err != nil {
		w.tb.Fatalf("encode a request: %v", err)
	}
	var reply contract.Unregistered
	if _, err := w.insist("replhub.unregister."+name, string(data), &reply); err != nil {
		w.tb.Fatalf("unregister %s %s: %v", name, data, err)
	}
	last := w.LastSeq(name)
	for _, r := range w.service(name).registrations {
		if r.Until == 0 && (len(entities) == 0 || slices.Contains(entities, r.Entity)) {
			r.Until = last
		}
	}
	return reply
}

// Forget drops a service from the book: its lane was detached or dropped.
func (w *World) Forget(name string) {
	delete(w.services, name)
	delete(w.streams, "SUB_"+name)
}

func (w *World) service(name string) *service {
	s := w.services[name]
	if s == nil {
		s = &service{name: name, filling: make(map[*judge.Registration]bool)}
		w.services[name] = s
	}
	return s
}

// Verdict judges one lane as it is now.
func (w *World) Verdict(name string, events []judge.Event) judge.Verdict {
	w.tb.Helper()
	s := w.service(name)
	l := judge.Lane{Service: name, Events: events, Messages: w.Lane(name), Partitions: s.partitions}
	for _, r := range s.registrations {
		l.Registrations = append(l.Registrations, *r)
	}
	return l.Judge()
}

func (w *World) String() string { return fmt.Sprintf("%s, seed %d", w.opts.Registry, w.opts.Seed) }
