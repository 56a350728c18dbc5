package retention

import (
	"testing"
	"time"
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
