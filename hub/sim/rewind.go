package sim

import (
	"maps"
	"slices"
	"strconv"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/lane/rewind"
	"github.com/replhub/replhub/hub/sim/model"
)

// rewinder is a rewind of a lane's workers by one hub, as package lane does it.
type rewinder struct {
	h     *hub
	index int
	s     service
	self  *process
	lane  string // as of the begin of Finish
}

// rewind begins to rewind the workers of a lane to the event that lies a number of events
// before the end of ingest.
func (h *hub) rewind(i, back int) {
	if h.writers[i] == nil || !h.owns[i] || h.rewinding[i] || h.trimmingLane[i] {
		return
	}
	r := h.rewinder(i)
	h.rewinding[i] = true
	var last uint64
	h.w.ask(r.self, ingestStream, "end", func() error { last = h.w.db.Info().Last; return nil }, func(err error) {
		if err != nil || last == 0 {
			h.rewinding[i] = false
			return
		}
		at := h.known.PositionOf(max(1, last-min(uint64(back), last)))
		r.plan(at)
	})
}

func (h *hub) rewinder(i int) *rewinder {
	r := &rewinder{h: h, index: i, s: h.w.services[i]}
	r.self = &process{name: h.name + "/" + r.s.text + ".rewind", hub: h}
	return r
}

// plan has the lane's loop plan the rewind and record it, and then finishes it.
func (r *rewinder) plan(at event.Position) {
	var planned *record.Rewound
	c := &change{w: r.h.w, service: r.s, self: r.self}
	c.plan = func(l *writer, tip record.Tip) {
		p := &planner{rewinder: r, l: l, trim: &laneTrim{h: r.h, index: r.index, s: r.s, self: l.self}}
		p.perform(rewind.Plan(tip.State, rewind.Target{Epoch: at.Epoch, Seq: at.Seq}), func(found record.Rewound, err error) {
			planned = &found
			planned.ID, planned.Hub, planned.Begun = r.h.w.name("r"), r.h.name, r.h.ingestNow()
			next := tip.State.Clone()
			next.Rewound = planned
			l.lane.Edited(core.Edited{Next: next, Changed: err == nil, Err: err})
			l.turn()
		})
	}
	c.answer = func(a core.Answer) {
		r.h.rewinding[r.index] = false
		if a.Err == nil && a.State.Rewound != nil {
			r.finish(a.State)
		}
	}
	c.queue(r.h, r.index)
}

// finishRewind finishes a rewind that was cut short.
func (h *hub) finishRewind(i int) {
	l := h.writers[i]
	if l == nil || !h.owns[i] {
		return
	}
	if s := l.lane.Tip().State; s.Rewound != nil && !s.Rewound.Done {
		h.rewinder(i).finish(s)
	}
}

func (r *rewinder) finish(s record.State) {
	if l := r.h.w.lanes[r.s.text]; l != nil {
		r.lane = laneOf(l)
		r.perform(rewind.Finish(s, r.lane))
	}
}

// laneOf distinguishes a lane from an earlier one of its name.
func laneOf(l *model.Stream) string { return strconv.FormatInt(l.Info().Created.UnixNano(), 36) + "/" }

// perform performs a step of Finish and continues with the next one.
func (r *rewinder) perform(step rewind.Step) {
	w := r.h.w
	ask := func(what string, serve func(l *model.Stream) error, then func() rewind.Step) {
		w.ask(r.self, r.s.text, what, func() error { return serve(w.lanes[r.s.text]) }, func(err error) {
			if err == nil {
				r.perform(then())
			}
		})
	}
	switch s := step.(type) {
	case rewind.SeeState:
		w.readTip(r.self, r.s, func(tip record.Tip, err error) {
			if err == nil {
				r.perform(s.Then(tip.State))
			}
		})
	case rewind.SeeConsumer:
		var tag string
		var found bool
		ask("consumer", func(l *model.Stream) error {
			c, err := l.Consumer(s.Name)
			if found = err == nil; found {
				tag = c.Config().Tag
			}
			return nil
		}, func() rewind.Step { return s.Then(tag, found) })
	case rewind.DeleteConsumer:
		ask("delete", func(*model.Stream) error { w.deleteConsumer(r.s, s.Name); return nil }, s.Then)
	case rewind.CreateConsumer:
		var created bool
		ask("create", func(l *model.Stream) error {
			created = w.createConsumer(r.s, s.Name, s.State, r.lane) == nil
			return nil
		}, func() rewind.Step { return s.Then(created) })
	case rewind.RecordDone:
		c := &change{w: w, service: r.s, self: r.self, answer: func(a core.Answer) {
			if a.Err == nil {
				r.perform(s.Then(a.State))
			}
		}}
		c.lay = func(tip record.Tip) (record.State, bool) { return rewind.Recorded(tip.State, s.Of) }
		c.queue(r.h, r.index)
	case rewind.Done:
	}
}

// deleteConsumer deletes a lane's consumer, if it is there.
func (w *World) deleteConsumer(s service, name string) {
	if c, err := w.consumer(s, name); err == nil {
		w.push(c.End())
		_ = w.lanes[s.text].DeleteConsumer(name) // it is there
		w.judge.recreated[s.text]++
	}
}

// planner answers the questions of a plan.
type planner struct {
	*rewinder

	l    *writer
	trim *laneTrim
}

func (p *planner) perform(step rewind.Step, then func(record.Rewound, error)) {
	w := p.h.w
	stream := func() *model.Stream { return w.lanes[p.s.text] }
	ask := func(what string, serve func(), next func() rewind.Step) {
		w.ask(p.l.self, p.s.text, what, func() error { serve(); return nil }, func(err error) {
			if err != nil {
				then(record.Rewound{}, err)
				return
			}
			p.perform(next(), then)
		})
	}
	var m model.Message
	var found bool
	read := func(of model.Message, err error) { m, found = of, err == nil }
	headersOf := func() map[string][]string { h, _ := m.Value.(headers); return h }
	switch s := step.(type) {
	case rewind.SeeStream:
		var b rewind.Bounds
		ask("bounds", func() {
			info := stream().Info()
			b = rewind.Bounds{First: info.First, Last: info.Last, Messages: info.Msgs, Lane: laneOf(stream())}
		}, func() rewind.Step { return s.Then(b) })
	case rewind.ReadMessage:
		ask("message", func() { read(stream().Get(s.Seq)) }, func() rewind.Step { return s.Then(headersOf(), found) })
	case rewind.ReadNext:
		ask("next", func() { read(stream().GetNext(s.Seq, w.filter(p.s, s.Consumer))) }, func() rewind.Step { return s.Then(m.Seq, headersOf(), found) })
	case rewind.SeeMatch:
		ask("match", func() { read(stream().GetLast(w.filter(p.s, s.Consumer))) }, func() rewind.Step { return s.Then(m.Seq) })
	case rewind.SeeConsumers:
		seen := p.trim.seeing()
		ask("consumers", seen.serve, func() rewind.Step {
			floors, have := seen.floors(), make(map[string]rewind.Consumer)
			for name, info := range seen.infos {
				have[name] = rewind.Consumer{Delivered: info.Delivered.Stream, Start: info.Start, Floor: floors[name], Generation: info.Tag}
			}
			return s.Then(have)
		})
	case rewind.Planned:
		then(s.Rewound, nil)
	case rewind.Refused:
		then(record.Rewound{}, s.Err)
	}
}

// rewound is what the judge knows of rewinds.
type rewound struct {
	// rewinds are the last rewinds of the lanes, and again the copies that workers have to
	// get once more because of a rewind.
	rewinds map[string]string
	again   map[copyIn]bool
}

// rewindRecorded takes the rewind in a state record that a lane stored: everything behind
// its place comes to the workers again.
func (j *judge) rewindRecorded(lane string, s record.State) {
	if s.Rewound == nil || s.Rewound.ID == j.rewinds[lane] {
		return
	}
	j.rewinds[lane] = s.Rewound.ID
	j.w.Counts.Rewinds++
	l := j.w.lanes[lane]
	for seq := s.Rewound.From; seq <= l.Info().Last; seq++ {
		m, err := l.Get(seq)
		if h, is := m.Value.(headers); err == nil && is && !record.IsRecord(h) {
			j.again[copyIn{j.w.service(lane), seq}] = true
		}
	}
}

// settleRewinds judges that the workers got everything again to which they were rewound,
// and that the lanes' consumers are those of the last rewind.
func (j *judge) settleRewinds() {
	var broken []string
	for at := range maps.Keys(j.again) {
		broken = append(broken, "L: the workers of "+j.w.services[at.service].text+" were rewound, and did not get "+strconv.FormatUint(at.seq, 10)+" again")
	}
	if len(broken) > 0 {
		j.fail("%s", slices.Min(broken))
	}
	for _, s := range j.w.services {
		state, registered := j.states[s.text]
		if !registered || j.w.lanes[s.text] == nil {
			continue
		}
		want := rewind.Generation(state, laneOf(j.w.lanes[s.text]))
		j.w.everyConsumer(s, func(name string, c *model.Consumer) {
			if have := c.Config().Tag; have != want {
				j.fail("V: consumer %s of %s is of %s, and the last rewind is %s", name, s.text, have, want)
			}
		})
	}
}
