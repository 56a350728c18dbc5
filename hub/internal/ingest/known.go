package ingest

import "github.com/replhub/replhub/hub/internal/event"

// Was reports whether there can have been an event at a position: false for an
// epoch that has not begun, and for a sequence before its epoch's first.
func (g *Ingest) Was(pos event.Position) bool {
	l := g.ledger.Load()
	if pos.Epoch > l.current().Epoch {
		return false
	}
	for _, r := range l.Epochs {
		if r.Epoch == pos.Epoch {
			return pos.Seq >= r.First
		}
	}
	return pos.Epoch > 0 // before the first that the ledger knows
}
