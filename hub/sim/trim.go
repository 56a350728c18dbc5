package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/subjects"
)

// The simulation's times, short beside those of a hub.
const (
	keepIngest = 10 * time.Minute
	guard      = dedupe
)

// trim begins a trim of ingest.
func (h *hub) trim() {
	if !h.open || h.trimming {
		return
	}
	h.trimming = true
	w := h.w
	p := &process{name: h.name + "/trim", hub: h}
	policy := retention.Policy{History: keepIngest, Guard: guard}
	if w.db.Full() {
		policy.FullBytes = 1
	}
	h.perform(p, retention.Trim(policy, func(retention.Trimmed) retention.Step {
		return retention.Done{}
	}), func(then func(retention.Need, error)) { h.lookAtLanes(p, then) }, func(error) { h.trimming = false })
}

// lookAtLanes asks for the names of the lanes, for the end of ingest, and then every
// lane where it stands, all at once.
func (h *hub) lookAtLanes(p *process, then func(retention.Need, error)) {
	h.list(p, func(names []service, err error) {
		if err != nil {
			then(retention.Need{}, err)
			return
		}
		h.lookAtEnd(p, names, then)
	})
}

// list asks for the names of the lanes.
func (h *hub) list(p *process, then func([]service, error)) {
	w := h.w
	var names []service
	w.ask(p, "", "names", func() error {
		for _, s := range w.services {
			if w.lanes[s.text] != nil && (w.cfg.Flaw != ListMisses || !w.away[s.text]) {
				names = append(names, s)
			}
		}
		return nil
	}, func(err error) { then(names, err) })
}

// fence has the writers of lanes write their state records again.
func (h *hub) fence(p *process, s retention.Fence, then func(map[subjects.Name]error, error)) {
	h.list(p, func(names []service, err error) {
		if !s.All {
			names = slices.DeleteFunc(names, func(n service) bool { return !slices.Contains(s.Services, n.name) })
		}
		unknown := make(map[subjects.Name]error)
		left := len(names)
		if left == 0 || err != nil {
			then(unknown, err)
			return
		}
		done := func(n service, err error) {
			if err != nil && !errors.Is(err, errNoLane) {
				unknown[n.name] = err
			}
			if left--; left == 0 {
				then(unknown, nil)
			}
		}
		for _, n := range names {
			look := &process{name: p.name + "." + n.text, hub: h}
			h.w.readTip(look, n, func(before record.Tip, err error) {
				if err != nil {
					done(n, err)
					return
				}
				c := &change{w: h.w, service: n, self: p, renewed: func(err error) { done(n, err) }, after: before.Last}
				c.queue(h, h.w.service(n.text))
			})
		}
	})
}

func (h *hub) lookAtEnd(p *process, names []service, then func(retention.Need, error)) {
	h.perform(p, retention.End(*h.known, func(b retention.Bounds, l retention.Ledger) retention.Step {
		need := retention.NewNeed(b.Last)
		left := len(names)
		if left == 0 {
			then(need, nil)
		}
		for _, s := range names {
			look := &process{name: p.name + "." + s.text, hub: h}
			h.w.readTip(look, s, func(tip record.Tip, err error) {
				need.Take(s.name, standing(tip.State, err), l, b.Last)
				if left--; left == 0 {
					then(need, nil)
				}
			})
		}
		return retention.Done{}
	}), nil, func(err error) {
		if err != nil {
			then(retention.Need{}, err)
		}
	})
}

// standing is package hub's standing.
func standing(s record.State, err error) retention.Standing {
	if errors.Is(err, errNoLane) {
		return retention.Standing{Gone: true}
	}
	if err != nil {
		return retention.Standing{Err: err}
	}
	return s.Standing()
}
