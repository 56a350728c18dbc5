package retention

import (
	"maps"
	"slices"
)

// The ledger may be deleted by hand, as a document or with its stream. What the
// hubs last read of it then stands in for it: the first to write stores what it
// knows, and one that knows more adds that.

// lostPinnings bounds the random step of the count of pinnings where the ledger was
// lost: a trim that began before must not find its count.
const lostPinnings = 1 << 32

// latest is the ledger to decide on: what was read, with what this hub knows and
// the document does not. improved reports whether it differs from what was read.
func (r Read) latest() (l Ledger, improved bool) {
	l = r.Ledger.clone()
	if r.Revision == 0 {
		l = r.lastKnown()
	}
	return l, l.recall(r.Known)
}

// lastKnown is the ledger as this hub last read it, for one that is gone; empty
// before the first.
func (r Read) lastKnown() Ledger {
	if r.Known == nil {
		return Ledger{}
	}
	l := r.Known.clone()
	l.Pinnings += 1 + r.Random%lostPinnings
	l.Lost = 1 + r.Random%lostPinnings
	// Pins that another hub set are lost with it: a trim looks at the lanes again.
	l.Released, l.Forgotten = nil, l.Pinnings
	return l
}

// clone is a copy that may be changed while others hold the original.
func (l *Ledger) clone() Ledger {
	c := *l
	c.Epochs, c.Pins, c.Released = slices.Clone(l.Epochs), maps.Clone(l.Pins), slices.Clone(l.Released)
	return c
}

// recall adds what this hub knows to a ledger that was put back by one that knew
// less, and reports whether that was so. Otherwise the stored ledger is never
// behind what was read before: epochs are only added, and within the newest one
// the floor only rises.
func (l *Ledger) recall(known *Ledger) (older bool) {
	if known == nil || len(known.Epochs) == 0 {
		return false
	}
	epoch := known.Current().Epoch
	switch {
	case len(l.Epochs) == 0 || l.Current().Epoch < epoch:
		l.Epochs, l.Floor = slices.Clone(known.Epochs), known.Floor
		l.recallPins(known)
		return true
	case l.Current().Epoch == epoch && l.Current().Created.Equal(known.Current().Created) && l.Floor < known.Floor:
		l.Floor = known.Floor
		return true
	}
	return false
}

// recallPins adds the pins that this hub knows. A trim that has looked at the lanes
// before has to look again.
func (l *Ledger) recallPins(known *Ledger) {
	pins := maps.Clone(known.Pins)
	if pins == nil {
		pins = make(map[string]Pin, len(l.Pins))
	}
	maps.Copy(pins, l.Pins)
	l.Pins = pins
	l.Pinnings = max(l.Pinnings, known.Pinnings) + 1
	l.Released, l.Forgotten = nil, l.Pinnings
}

// Restore stores what this hub knows and the document does not say.
func Restore(then func() Step) Step {
	return update(unchanged, func(Ledger) Step { return then() })
}
