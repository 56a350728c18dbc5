package sim

import (
	"errors"
	"maps"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/reconcile/agree"
	registrar "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
)

// look is a look at all records and lanes, as package reconcile makes it.
type look struct {
	h    *hub
	self *process
	// entries are the records at the beginning, paths those that are left.
	entries map[string]tree.Entry
	paths   []string
}

// look begins a look, or reads the registry first.
func (h *hub) look() {
	switch {
	case !h.w.registry.on || !h.open || h.book.looking:
	case !h.book.connected:
		h.load()
	default:
		h.book.looking = true
		l := &look{h: h, self: &process{name: h.name + "/look", hub: h}, entries: h.book.entries, paths: slices.Sorted(maps.Keys(h.book.entries))}
		l.next()
	}
}

// next looks at the next record, and behind the last one at the lanes.
func (l *look) next() {
	for len(l.paths) > 0 {
		path := l.paths[0]
		l.paths = l.paths[1:]
		entity, name, is := registrar.ParseInterestPath(path)
		found, _, err := l.h.w.registry.cache.Parse(path, l.entries[path].Value)
		if i := l.h.w.service(name.String()); is && err == nil && i >= 0 {
			o := &one{look: l, path: path, index: i, by: l.h.w.registry.requests[place{path, l.entries[path].Version}]}
			o.begin(agree.Record{Entity: entity.String(), Found: found, Version: l.entries[path].Version})
			return
		}
	}
	l.putBack(0)
}

// one is the look at one record.
type one struct {
	*look

	path  string
	index int
	// by is the request, if the record was made by hand.
	by request
}

func (o *one) begin(r agree.Record) {
	h := o.h
	k := agree.Knowledge{Owned: h.owns[o.index], NewID: func() string { return h.w.name("i") }}
	writer := h.writers[o.index]
	if writer != nil {
		state := writer.lane.Tip().State
		k.State = &state
	}
	if r.Found.Requests() || writer != nil {
		o.perform(agree.Interest(r, k), r)
		return
	}
	h.w.readTip(o.self, h.w.services[o.index], func(_ record.Tip, err error) {
		if errors.Is(err, errNoLane) {
			o.next() // the hub reports a service without a stream
			return
		}
		o.perform(agree.Interest(r, k), r)
	})
}

// perform performs a step and continues with the next one.
func (o *one) perform(step agree.Step, r agree.Record) {
	w, s := o.h.w, o.h.w.services[o.index]
	then := func(error) { o.next() }
	switch step := step.(type) {
	case agree.ReadLane:
		w.readTip(o.self, s, func(tip record.Tip, err error) {
			o.perform(step.Then(agree.Lane{State: tip.State, Gone: errors.Is(err, errNoLane), Err: err}), r)
		})
	case agree.Claim:
		w.ask(o.self, registryStream, "claim", func() error {
			err := w.registry.claim(o.path, step.Value, step.Expect)
			if err == nil {
				o.by = w.registry.request(o.path) // a registry put back has the same version for a later request
			}
			return err
		}, func(err error) { o.perform(step.Then(err == nil), r) })
	case agree.Register:
		if !r.Found.Requests() {
			w.judge.fail("P: interest %s is registered again, which nobody asked for", step.ID)
		}
		w.judge.requested(o.by, step.ID)
		o.h.adopt(o.index, r.Entity, step.ID, func() {
			(&one{look: &look{h: o.h, self: o.self}, path: o.path, index: o.index}).last(step.Then(true), func(error) {})
		})
		o.next()
	default:
		if !o.last(step, then) {
			o.next()
		}
	}
}

// last performs a last step; false if there is nothing to do.
func (o *one) last(step agree.Step, then func(error)) bool {
	w := o.h.w
	switch step := step.(type) {
	case agree.Correct:
		w.ask(o.self, registryStream, "correct", func() error { return w.registry.put(o.path, step.Value, step.Expect) }, then)
	case agree.Remove:
		w.ask(o.self, registryStream, "remove", func() error { return w.registry.remove(o.path, step.Expect) }, then)
	default:
		return false
	}
	return true
}

// putBack writes the records of a lane's interests that the registry lacks, lane by lane.
func (l *look) putBack(i int) {
	h := l.h
	if i == len(h.writers) {
		h.book.looking = false
		return
	}
	s, known := h.w.services[i], l.entries
	if h.writers[i] == nil || !h.owns[i] || len(agree.Missing(known, s.name, h.writers[i].lane.Tip().State)) == 0 {
		l.putBack(i + 1)
		return
	}
	h.w.readTip(l.self, s, func(tip record.Tip, err error) {
		if err != nil {
			l.putBack(i + 1)
			return
		}
		l.write(agree.Missing(known, s.name, tip.State), func() { l.putBack(i + 1) })
	})
}

func (l *look) write(missing []registrar.Written, then func()) {
	if len(missing) == 0 {
		then()
		return
	}
	one := missing[0]
	l.h.w.ask(l.self, registryStream, "put back", func() error { return l.h.w.registry.put(one.Path, one.Value, tree.Absent) }, func(error) {
		l.write(missing[1:], then)
	})
}
