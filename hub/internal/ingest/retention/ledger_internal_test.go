package retention

import (
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

func TestEpochOf(t *testing.T) {
	first, second := time.Unix(1, 0), time.Unix(2, 0)
	l := Ledger{Epochs: []Range{
		{Epoch: 1, First: 1, Created: first},
		{Epoch: 2, First: 1, Created: second},
		{Epoch: 3, First: 901, Created: second},
	}}
	for seq, want := range map[uint64]uint64{1: 2, 900: 2, 901: 3, 2000: 3} {
		if got := l.EpochOf(seq); got != want {
			t.Errorf("epoch of %d is %d, want %d", seq, got, want)
		}
	}
}

func TestStale(t *testing.T) {
	created := time.Unix(1, 0)
	l := Ledger{Epochs: []Range{{Epoch: 1, First: 1, Created: created}, {Epoch: 2, First: 71, Created: created}}}
	for pos, want := range map[event.Position]bool{
		{Epoch: 1, Seq: 70}: false, {Epoch: 1, Seq: 71}: true, {Epoch: 1, Seq: 100}: true,
		{Epoch: 2, Seq: 70}: false, {Epoch: 2, Seq: 71}: false, {Epoch: 2, Seq: 100}: false,
	} {
		if got := l.Stale(pos); got != want {
			t.Errorf("%s: %v, want %v", pos, got, want)
		}
	}
}
