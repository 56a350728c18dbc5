package retention

import (
	"errors"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// TestLedgerOfANewerForm checks the version: a ledger without one is of form 1, and a
// newer one is refused whatever else it has.
func TestLedgerOfANewerForm(t *testing.T) {
	for data, newer := range map[string]bool{
		`{"epochs":[{"epoch":1,"first":1}],"floor":7}`: false, `{"v":1,"floor":7}`: false, `{"v":2,"floor":7}`: false, `{"v":3,"floor":7}`: true, `{"v":4}`: true,
	} {
		l, err := Decode([]byte(data))
		if errors.Is(err, ErrNewer) != newer || (err != nil) != newer || !newer && (l.Form < 1 || l.Floor != 7) {
			t.Errorf("%s: %+v, %v", data, l, err)
		}
	}
	data, err := Encode(Ledger{Floor: 7})
	if want := `{"v":1,"epochs":null,"floor":7}`; err != nil || string(data) != want {
		t.Errorf("%s, %v; want %s", data, err, want)
	}
}

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
