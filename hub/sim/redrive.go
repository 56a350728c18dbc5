package sim

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/replhub/replhub/hub/internal/deadletter/redrive"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// letter is a dead letter: the headers of the copy, and the copy's event.
type letter struct {
	headers headers
	event   *stored
}

// redriver is a redrive of all letters of a service by one hub, as package control does
// it.
type redriver struct {
	h     *hub
	index int
	s     service
	self  *process
	core  *redrive.Redrive
}

// redriveLimits are small, so that a redrive takes several appends.
func redriveLimits() redrive.Limits {
	return redrive.Limits{Letters: 3, Bytes: 1 << 20, Left: 100, Size: func(redrive.Left) int { return 1 }}
}

// redrive begins a redrive.
func (h *hub) redrive(i int) {
	if h.writers[i] == nil || !h.owns[i] {
		return
	}
	r := &redriver{h: h, index: i, s: h.w.services[i], core: redrive.All(0, redriveLimits())}
	r.self = &process{name: h.name + "/" + r.s.text + ".redrive", hub: h}
	r.perform(r.core.Begin())
}

// perform performs a step and continues with the next one. A step that fails ends the
// redrive.
func (r *redriver) perform(step redrive.Step) {
	w := r.h.w
	next := func(then func() redrive.Step) func(error) {
		return func(err error) {
			if err == nil {
				r.perform(then())
			}
		}
	}
	switch s := step.(type) {
	case redrive.ReadState:
		w.readTip(r.self, r.s, func(tip record.Tip, err error) {
			if err == nil {
				r.perform(s.Then(tip.State))
			}
		})
	case redrive.ReadLetter:
		r.read(r.self, s, func(found *redrive.Letter, err error) {
			if err == nil {
				r.perform(s.Then(found))
			}
		})
	case redrive.Append:
		c := r.change(next(s.Then))
		c.choose = func(l *writer, tip record.Tip) { r.choose(l, tip, s.Choose(tip.State)) }
		c.queue(r.h, r.index)
	case redrive.Remove:
		w.ask(r.self, letterStream, "remove", func() error {
			if m, err := w.deadLetters.Get(s.Letter.Seq); err == nil && m.Time.Equal(s.Letter.Time) {
				w.judge.removed(r.s.text, s.Letter.Seq)
				return w.deadLetters.Delete(s.Letter.Seq)
			}
			return nil
		}, next(s.Then))
	case redrive.Forget:
		c := r.change(next(s.Then))
		c.lay = func(tip record.Tip) (record.State, bool) {
			after := tip.State.Forget(s.IDs)
			return after, len(after.Redriven) < len(tip.State.Redriven)
		}
		c.queue(r.h, r.index)
	case redrive.More:
		r.perform(s.Then())
	case redrive.Done:
	}
}

func (r *redriver) change(done func(error)) *change {
	return &change{w: r.h.w, service: r.s, self: r.self, laid: done}
}

// choose performs the steps that choose the copies of an append.
func (r *redriver) choose(l *writer, tip record.Tip, step redrive.Step) {
	w := r.h.w
	switch s := step.(type) {
	case redrive.ReadLetter:
		r.read(l.self, s, func(found *redrive.Letter, err error) {
			if err != nil {
				l.lane.Edited(core.Edited{Err: err})
				l.turn()
				return
			}
			r.choose(l, tip, s.Then(found))
		})
	case redrive.MakeCopy:
		r.choose(l, tip, s.Then(w.copyOf(r.s, s.State, s.Letter)))
	case redrive.Chosen:
		next := tip.State.Clone()
		next.Redriven = append(next.Redriven, s.IDs...)
		l.copies = l.copies[:0]
		for _, c := range s.Copies {
			l.copies = append(l.copies, c.(model.Publish)) //nolint:forcetypeassert // of copyOf
		}
		l.lane.Edited(core.Edited{Next: next, Changed: len(s.IDs) > 0, Copies: len(s.IDs), Err: s.Err})
		l.turn()
	}
}

// read reads a letter. Where the lane's loop chooses, the loop waits meanwhile.
func (r *redriver) read(p *process, s redrive.ReadLetter, then func(*redrive.Letter, error)) {
	w := r.h.w
	var m model.Message
	found := false
	w.ask(p, letterStream, "letter", func() error {
		var err error
		m, err = w.deadLetters.GetNext(max(s.Seq, 1), subjects.DeadLetterFilter(r.s.name))
		found = err == nil && (!s.Exact || m.Seq == s.Seq)
		return nil
	}, func(err error) {
		if err != nil || !found {
			then(nil, err)
			return
		}
		then(&redrive.Letter{LetterID: record.LetterID{Seq: m.Seq, Time: m.Time}, Of: m.Value}, nil)
	})
}

// copyOf is the copy as which a letter comes back.
func (w *World) copyOf(s service, state record.State, l redrive.Letter) redrive.Copy {
	of := l.Of.(letter) //nolint:forcetypeassert // of read
	h := maps.Clone(of.headers)
	times, _ := strconv.Atoi(head(h[contract.HeaderRedriven])) // 0 without the header
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-") })
	if w.policies.on {
		if why := w.underPolicy(s, state, of, h); why != "" {
			return redrive.Copy{Stays: why}
		}
	}
	subject := state.RedrivenCopy(s.name, w.entityOf(of.event.event.entity), subjects.Update, h, times+1)
	return redrive.Copy{Of: model.Publish{Subject: subject, Value: h, HeaderBytes: 200}, Bytes: 1}
}

// underPolicy has the copy of a letter obey the policy of its entity, or says why it must
// not come back.
func (w *World) underPolicy(s service, state record.State, of letter, h headers) (stays string) {
	entity := of.event.event.entity
	p := w.policies.stored[entity].granted()
	if in := state.Find(entity); in != nil {
		p = in.Policy
	}
	d, _, err := redrive.Allowed(p, redrive.Held{
		Service: s.name, Entity: w.entityOf(entity), Op: subjects.Update, Time: w.now, Header: h, Data: []byte(head(h[payload])),
	}, nil)
	if err != nil || d.Kind != match.Copy {
		return "not allowed any more"
	}
	h[payload] = []string{string(d.Data)}
	return ""
}

// entityOf is an entity's name.
func (w *World) entityOf(text string) subjects.Name {
	name, err := subjects.ParseName(text)
	if err != nil {
		panic(err)
	}
	return name
}

// recordBehindCopies appends a state record with redriven copies in front of it, all or
// none.
func (l *writer) recordBehindCopies(s core.Record, p model.Publish) error {
	w := l.h.w
	stream := w.lanes[l.service.text]
	first := stream.Info().Last + 1
	p.Last = nil // an atomic batch states it once
	if _, err := stream.Atomic(s.Last, append(slices.Clone(l.copies), p), w.now); err != nil {
		return err
	}
	for i := range l.copies {
		w.judge.cameBack(l.h, l.service.text, first+uint64(i), s.State.Redriven[len(s.State.Redriven)-len(l.copies)+i])
	}
	w.judge.recorded(l.service.text, s.State)
	return nil
}

// redriven is what the judge knows of the letters whose events came back.
type redriven struct {
	// back are those letters, by service, and cameBackAt their copies.
	back       map[string]map[uint64]bool
	cameBackAt map[copyIn]*stored
	// times counts how often an event came back to a service.
	times map[copyOf]int
}

// cameBack takes a redriven copy of a hub that a lane stored.
func (j *judge) cameBack(by *hub, lane string, seq uint64, id record.LetterID) {
	m, err := j.w.lanes[lane].Get(seq)
	h, is := m.Value.(headers)
	e, at := j.eventOf(h)
	if err != nil || !is || e == nil {
		j.fail("P: lane %s holds a redriven copy of no event", lane)
		return
	}
	if j.back[lane] == nil {
		j.back[lane] = make(map[uint64]bool)
	}
	if j.back[lane][id.Seq] {
		j.fail("D: the event of letter %d is redriven into lane %s twice", id.Seq, lane)
	}
	j.back[lane][id.Seq] = true
	j.w.Counts.Redriven++
	j.w.trace("  lane %s: letter %d comes back, event %d", lane, id.Seq, e.index)
	j.cameBackAt[copyIn{j.w.service(lane), seq}] = e
	j.times[copyOf{lane, e.index}]++
	j.obeys(by, lane, e, h, true)
	j.lined(lane, seq, at, e)
}

// removed takes a letter that a redrive removes: its event is in the lane again.
func (j *judge) removed(lane string, seq uint64) {
	if !j.back[lane][seq] && !j.older[lane] {
		j.fail("L: letter %d of %s is removed, and its event is not in the lane", seq, lane)
	}
}

// settleRedriven judges that every redriven copy was handled.
func (j *judge) settleRedriven() {
	var broken []string
	for at, e := range j.cameBackAt {
		if !j.settled[at] {
			broken = append(broken, "L: the redriven copy "+strconv.FormatUint(at.seq, 10)+" of event "+strconv.Itoa(e.index)+" of "+j.w.services[at.service].text+" had no effect")
		}
	}
	if len(broken) > 0 {
		j.fail("%s", slices.Min(broken))
	}
}

// redriveAll puts all dead letters back, and has the instances handle them. The lanes then
// name no letter any more.
func (e ending) redriveAll() {
	if !e.instanced || e.judge.broken != "" {
		return
	}
	for i := range e.services {
		e.hubs[i%hubCount].redrive(i)
	}
	if !e.rest() {
		e.judge.fail("V: it does not come to rest behind a redrive: %s", e.unrest())
	}
	for _, s := range e.services {
		if n := len(e.judge.states[s.text].Redriven); n > 0 {
			e.judge.fail("V: the record of lane %s names %d letters whose redrive is over", s.text, n)
		}
	}
	e.drain()
}
