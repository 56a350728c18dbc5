package sim

import (
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/lane/rewind"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/subjects"
)

const (
	workers = "workers"
	ackWait = 30 * time.Second
	// maxAckPending is the server's default, pinnedTTL that of package lane.
	maxAckPending = 1000
	pinnedTTL     = 2 * time.Second
)

// ensureConsumer creates the consumers of a lane that are missing.
func (w *World) ensureConsumer(s service, state record.State) {
	for _, name := range w.consumers(s) {
		_ = w.createConsumer(s, name, state, laneOf(w.lanes[s.text])) // it may be there
	}
}

// createConsumer creates a lane's consumer where a state says. A hub that takes the lane
// for an earlier one names that.
func (w *World) createConsumer(s service, name string, state record.State, lane string) error {
	l := w.lanes[s.text]
	cfg := model.ConsumerConfig{
		Name: name, Filter: w.filter(s, name), AckWait: ackWait, MaxDeliver: -1, MaxAckPending: maxAckPending,
		Start: state.StartOf(name), Tag: rewind.Generation(state, lane),
	}
	if w.has(w.service(s.text), orderedBits) {
		cfg.PinnedTTL = pinnedTTL
	}
	_, err := l.CreateConsumer(cfg, w.now)
	return err
}

// filter is what a consumer of a lane delivers.
func (w *servers) filter(s service, consumer string) string {
	if !w.has(w.service(s.text), orderedBits) {
		return subjects.WorkerFilter(s.name, -1)
	}
	return subjects.WorkerFilter(s.name, slices.Index(w.consumers(s), consumer))
}

// consume creates the consumers of a lane that are missing, and those of another rewind
// once more, as hubs do every few seconds.
func (w *World) consume(name string) {
	i := w.service(name)
	if i < 0 || w.lanes[name] == nil || !w.registered(w.services[i]) {
		return
	}
	w.replaceForeign(w.services[i], w.judge.states[name])
	w.ensureConsumer(w.services[i], w.judge.states[name])
}

// replaceForeign deletes the consumers of another rewind or of an earlier lane.
func (w *World) replaceForeign(s service, state record.State) {
	if r := state.Rewound; r != nil && !r.Done {
		return
	}
	l := w.lanes[s.text]
	for _, name := range w.consumers(s) {
		if c, err := l.Consumer(name); err == nil && !state.OfRewind(c.Config().Tag, laneOf(l)) {
			_ = l.DeleteConsumer(name)
		}
	}
}

// work is a plain worker of a service: it pulls a copy, stores its effect and
// acknowledges. Its database refuses an effect that is there.
func (w *World) work(a Action) {
	i := w.service(a.On)
	if i < 0 || w.lanes[a.On] == nil || w.instanced {
		return
	}
	s := w.services[i]
	if a.Verb == Crash {
		for _, c := range w.calls {
			if c.from.name == "w/"+s.text {
				w.end(c.from)
				return
			}
		}
		return
	}
	p := &process{name: "w/" + s.text}
	var d model.Delivery
	var got bool
	w.ask(p, s.text, "pull", func() error {
		c, err := w.lanes[s.text].Consumer(workers)
		if err == nil {
			c.Expire(w.now)
			d, got = c.Next(w.now)
		}
		return err
	}, func(err error) {
		if err == nil && got {
			w.handle(p, s, d.Message)
		}
	})
}

func (w *World) handle(p *process, s service, m model.Message) {
	h, _ := m.Value.(headers)
	e, _ := w.judge.eventOf(h)
	if e == nil {
		w.judge.fail("P: a worker of %s got no copy: %d %s", s.text, m.Seq, m.Subject)
		return
	}
	effect := func() {
		w.Counts.Effects++
		w.judge.effects[copyOf{s.text, e.index}] = true
		delete(w.judge.again, copyIn{w.service(s.text), m.Seq})
	}
	ack := func(then func(error)) {
		w.ask(p, s.text, "ack", func() error {
			c, err := w.lanes[s.text].Consumer(workers)
			if err == nil {
				c.Ack(m.Seq)
			}
			return err
		}, then)
	}
	store := func(then func(error)) { w.ask(p, "", "effect", func() error { effect(); return nil }, then) }
	if w.cfg.Flaw == AckBeforeEffect {
		ack(func(error) { store(func(error) {}) })
		return
	}
	store(func(err error) {
		if err == nil {
			ack(func(error) {})
		}
	})
}
