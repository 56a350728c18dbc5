package rewind

import (
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/history"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// plan finds where the consumers of a state's queue start again for a target.
type plan struct {
	state  record.State
	target Target
	bounds Bounds
	found  record.Rewound

	have map[string]Consumer
	rest []string // consumers that are still to be looked at
	next *ForwardsError
}

// Plan decides where a lane's workers start again. Its end is Planned, without the fields
// that tell who rewinds, or Refused.
func Plan(s record.State, target Target) Step {
	p := &plan{state: s, target: target}
	return SeeStream{func(b Bounds) Step {
		p.bounds = b
		if b.Messages == 0 {
			return p.from(b.Last + 1)
		}
		return p.search(b.First, b.Last+1)
	}}
}

// CopyAt finds the first copy at or behind a sequence of a lane; found is false where
// there is none up to last.
func CopyAt(seq, last uint64, then func(m ingest.Mark, found bool) Step) Step {
	if seq > last {
		return then(ingest.Mark{}, false)
	}
	return ReadMessage{seq, func(h map[string][]string, found bool) Step {
		if mark, ok := record.CopyMark(h); found && ok {
			return then(mark, true)
		}
		return CopyAt(seq+1, last, then)
	}}
}

// search finds the first copy at or behind the target between two sequences. Within one
// registration copies ascend by ingest position. With a fill in between they do not; then
// the first fitting copy from the front is taken, so that no copy is missed.
func (p *plan) search(low, high uint64) Step {
	if low == high {
		return p.notTooOld(low)
	}
	mid := low + (high-low)/2
	return CopyAt(mid, p.bounds.Last, func(m ingest.Mark, found bool) Step {
		if !found || p.target.reached(m) {
			return p.search(low, mid)
		}
		return p.search(mid+1, high)
	})
}

// notTooOld refuses a target that lies before the first copy that the lane holds.
func (p *plan) notTooOld(at uint64) Step {
	if at != p.bounds.First || p.bounds.First <= 1 {
		return p.from(at)
	}
	return CopyAt(at, p.bounds.Last, func(m ingest.Mark, found bool) Step {
		if found && p.target.before(m) {
			return Refused{&TooOldError{Held: m.Position, At: m.Time}}
		}
		return p.from(at)
	})
}

// from goes on with the lane's sequence from which the workers start again.
func (p *plan) from(seq uint64) Step {
	p.found = record.Rewound{From: seq, Starts: make(map[string]uint64)}
	return SeeConsumers{func(have map[string]Consumer) Step {
		p.have, p.rest = have, record.Consumers(p.state.Queue)
		return p.notForwards()
	}}
}

// notForwards refuses a rewind if no consumer would go back and some consumer has
// undelivered copies before the place.
func (p *plan) notForwards() Step {
	if len(p.rest) == 0 {
		if p.next != nil {
			return Refused{p.next}
		}
		return p.allStarts()
	}
	name := p.rest[0]
	c, there := p.stands(name)
	p.rest = p.rest[1:]
	from := max(c.Delivered+1, c.Start)
	switch {
	case !there || c.Delivered >= p.found.From:
		return p.allStarts() // the consumer goes back; a missing one is created again
	case from >= p.found.From:
		return p.notForwards()
	}
	return ReadNext{name, from, func(seq uint64, h map[string][]string, found bool) Step {
		if found && seq < p.found.From && p.next == nil {
			mark, _ := record.CopyMark(h)
			p.next = &ForwardsError{Next: mark.Position}
		}
		return p.notForwards()
	}}
}

// stands returns where a consumer stands; ok is false for one that is missing, or that an
// earlier rewind has still to create: what it has acknowledged before is due again.
func (p *plan) stands(name string) (c Consumer, ok bool) {
	c, ok = p.have[name]
	return c, ok && p.state.OfRewind(c.Generation, p.bounds.Lane)
}

func (p *plan) allStarts() Step {
	p.rest = record.Consumers(p.state.Queue)
	return p.starts()
}

// starts finds the consumers that have not acknowledged all copies before the place.
func (p *plan) starts() Step {
	if len(p.rest) == 0 {
		return Planned{p.found}
	}
	name := p.rest[0]
	p.rest = p.rest[1:]
	c, stands := p.stands(name)
	if c.PausedUntil != nil {
		p.found.PausedUntil = c.PausedUntil
	}
	if !stands {
		return p.start(name, max(p.state.StartOf(name), 1)) // no acknowledgement is known
	}
	return SeeMatch{name, func(match uint64) Step {
		return p.start(name, history.ProvenFloor(c.Floor, match, p.bounds.Last)+1)
	}}
}

func (p *plan) start(name string, start uint64) Step {
	if start < p.found.From {
		p.found.Starts[name] = start
	}
	return p.starts()
}
