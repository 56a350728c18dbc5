package retention

import (
	"cmp"
	"maps"
	"slices"
)

// The ledger may be deleted by hand, as a document or with its stream. The hubs' last
// copies then replace it: the first hub to write stores what it knows, and a hub that
// knows more adds its knowledge. So it is where the ledger's stream lost its last writes.

// lostPinnings bounds the random step of the count of pinnings where the ledger was
// lost: a trim that began before the loss must not find its own count again.
const lostPinnings = 1 << 32

// Beside returns the answer with what this hub knew before it asked for the document, and
// what it knows now. A document that lacks some of what was known before has lost writes,
// and gets all that is known now. From any other document nothing is lost: what another
// operation of this hub wrote while the answer was on its way is newer than the document,
// and a pin that it released must not be set again.
func (r Read) Beside(before, now *Ledger) Read {
	r.Known = before
	if _, improved := r.latest(); improved || r.Revision == 0 {
		r.Known = now
	}
	return r
}

// latest is the ledger to decide on: the document read, plus this hub's knowledge
// that the document lacks, without expired pins. improved reports whether it differs
// from the document.
func (r Read) latest() (l Ledger, improved bool) {
	l = r.Ledger.clone()
	if r.Revision == 0 {
		l = r.lastKnown()
	}
	named := l.recallInstallation(r.Known)
	older := l.recall(r.Known)
	erased := l.recallErased(r.Known)
	return l, older || named || erased
}

// lastKnown is the ledger as this hub last read it, in place of a ledger that is
// gone; empty if this hub has read none.
func (r Read) lastKnown() Ledger {
	if r.Known == nil {
		return Ledger{}
	}
	l := r.Known.clone()
	l.Pinnings += 1 + r.Random%lostPinnings
	l.Lost = 1 + r.Random%lostPinnings
	l.Replaced = l.Lost
	// Pins that another hub set are lost with the ledger, so a trim must read the lanes
	// again.
	l.Released, l.Forgotten = nil, l.Pinnings
	return l
}

// Replaces reports whether a hub that knows a ledger is to remember this one in its place.
// Operations of a hub are concurrent, so an older document may arrive behind a newer one.
// The revision does not tell: it begins again with the ledger's stream. The epoch and the
// count of pinnings never fall, and the floor does not fall within an epoch.
func (l *Ledger) Replaces(known *Ledger) bool {
	if known == nil || len(known.Epochs) == 0 || len(l.Epochs) == 0 {
		return known == nil || len(known.Epochs) == 0
	}
	return cmp.Or(
		cmp.Compare(l.Current().Epoch, known.Current().Epoch),
		cmp.Compare(l.Pinnings, known.Pinnings),
		cmp.Compare(l.Floor, known.Floor),
		cmp.Compare(l.Erasures, known.Erasures),
	) >= 0
}

// clone returns a copy that may be changed while others hold the original.
func (l *Ledger) clone() Ledger {
	c := *l
	c.Epochs, c.Pins, c.Released = slices.Clone(l.Epochs), maps.Clone(l.Pins), slices.Clone(l.Released)
	c.Policies = maps.Clone(l.Policies)
	return c
}

// recall adds this hub's knowledge to a ledger that was restored by a hub that knew
// less, or that lost its last writes, and reports whether it added any. Apart from that,
// the stored ledger is never behind what was read before: epochs are only added, and
// within the newest epoch the floor and the count of pinnings only rise.
func (l *Ledger) recall(known *Ledger) (older bool) {
	if known == nil || len(known.Epochs) == 0 {
		return false
	}
	if l.Replaced != known.Replaced && l.recallPolicies(known) {
		// Whoever stored the ledger again did not know of a policy. The count of pinnings does
		// not show that: it was raised beyond all that a hub may know.
		l.Pinnings++ // no hub remembers the document without the policy any more
		older = true
	}
	epoch := known.Current().Epoch
	switch {
	case len(l.Epochs) == 0 || l.Current().Epoch < epoch:
		l.Epochs, l.Floor = slices.Clone(known.Epochs), known.Floor
		l.recallPins(known)
		l.recallPolicies(known)
		return true
	case l.Current().Epoch == epoch && l.Current().Created.Equal(known.Current().Created):
		if l.Floor < known.Floor {
			l.Floor, older = known.Floor, true
		}
		if l.Pinnings < known.Pinnings {
			l.recallPins(known)
			l.recallPolicies(known)
			older = true
		}
	}
	return older
}

// recallPins adds the pins that this hub knows. A trim that has already read the lanes
// must read them again.
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

// Restore stores what this hub knows and the document lacks.
func Restore(then func() Step) Step {
	return update(unchanged, func(Ledger) Step { return then() })
}
