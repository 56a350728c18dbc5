package ingest

import "context"

// LowestPin is the lowest sequence that a registration under way has pinned; ok is
// false when there is none.
func (g *Ingest) LowestPin(ctx context.Context) (seq uint64, ok bool, err error) {
	l, _, err := g.readLedger(ctx)
	if err != nil {
		return 0, false, err
	}
	for _, p := range l.Pins {
		if !g.Now().After(p.Until) && (!ok || p.Seq < seq) {
			seq, ok = p.Seq, true
		}
	}
	return seq, ok, nil
}
