package ingest

import (
	"testing"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
)

// A document that was read before another, and arrives behind it, does not take its
// place in memory.
func TestOlderLedgerIsNotRemembered(t *testing.T) {
	g := new(Ingest)
	remember := func(epoch uint64) {
		l := retention.Ledger{Epochs: []retention.Range{{Epoch: epoch, First: 1}}}
		step := retention.Remember{Ledger: l, Then: func() retention.Step { return retention.Done{} }}
		if err := g.perform(t.Context(), step, nil); err != nil {
			t.Fatal(err)
		}
	}
	remember(2)
	remember(1)
	if epoch := g.Epoch(); epoch != 2 {
		t.Errorf("epoch %d, want 2", epoch)
	}
	remember(3)
	if epoch := g.Epoch(); epoch != 3 {
		t.Errorf("epoch %d, want 3", epoch)
	}
}
