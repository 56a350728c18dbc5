package ingest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// The ledger may be deleted by hand, as a document or with its stream. What the
// hubs last read of it then stands in for it: the first to write stores what it
// knows, and one that knows more adds that.

// lostPinnings bounds the random step of the count of pins where the ledger was
// lost: a trim that began before must not find its count.
const lostPinnings = 1 << 32

// lastKnown is the ledger as this hub last read it, for one that is gone; empty
// before the first.
func (g *Ingest) lastKnown() ledger {
	known := g.ledger.Load()
	if known == nil {
		return ledger{}
	}
	l := *known
	l.Epochs, l.Pins = slices.Clone(known.Epochs), maps.Clone(known.Pins)
	l.Pinnings += 1 + rand.Uint64N(lostPinnings)
	return l
}

// recall adds what this hub knows to a ledger that was put back by one that knew
// less, and reports whether that was so. Otherwise the stored ledger is never
// behind what was read before: epochs are only added, and within the newest one
// the floor only rises.
func (l *ledger) recall(known *ledger) (older bool) {
	if known == nil || len(known.Epochs) == 0 {
		return false
	}
	epoch := known.current().Epoch
	switch {
	case len(l.Epochs) == 0 || l.current().Epoch < epoch:
		l.Epochs, l.Floor = slices.Clone(known.Epochs), known.Floor
		l.recallPins(known)
		return true
	case l.current().Epoch == epoch && l.current().Created.Equal(known.current().Created) && l.Floor < known.Floor:
		l.Floor = known.Floor
		return true
	}
	return false
}

// recallPins adds the pins that this hub knows. A trim that has looked at the lanes
// before has to look again.
func (l *ledger) recallPins(known *ledger) {
	pins := maps.Clone(known.Pins)
	if pins == nil {
		pins = make(map[string]pin, len(l.Pins))
	}
	maps.Copy(pins, l.Pins)
	l.Pins = pins
	l.Pinnings = max(l.Pinnings, known.Pinnings) + 1
	l.Released, l.Forgotten = nil, l.Pinnings
}

// restoreLedger stores what this hub knows and the ledger does not say.
func (g *Ingest) restoreLedger(ctx context.Context) error {
	_, err := g.updateLedger(ctx, func(*ledger) (bool, error) { return false, nil })
	return err
}

// reportLost says that a ledger was not there at the start, though ingest was.
func (g *Ingest) reportLost(b Bounds) {
	text := fmt.Sprintf("stream %s was deleted while no hub ran: the epochs go on behind those that the lanes know, and the trim floor is ingest's first event, %d", g.record.Name(), b.First)
	if g.cfg.Report != nil {
		g.cfg.Report(g.record.Name(), text)
		return
	}
	g.cfg.Logger.Error("ledger lost", "text", text)
}

// KnowEpoch has the current epoch not be below one that was seen elsewhere, in a
// lane. A ledger that was lost while no hub ran begins with the first.
func (g *Ingest) KnowEpoch(ctx context.Context, seen uint64) error {
	if g.Epoch() >= seen {
		return nil
	}
	_, err := g.identify(ctx, seen)
	return err
}
