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
		if errors.Is(err, ErrNewer) != newer || (err != nil) != newer || !newer && (l.Form > 2 || l.Floor != 7) {
			t.Errorf("%s: %+v, %v", data, l, err)
		}
	}
	data, err := Encode(Ledger{Floor: 7})
	if want := `{"v":1,"epochs":null,"floor":7}`; err != nil || string(data) != want {
		t.Errorf("%s, %v; want %s", data, err, want)
	}
}

// TestLedgerKeepsWhatItDoesNotKnow: a newer hub's members stay when this one rewrites the
// ledger, and each member of its own is known.
func TestLedgerKeepsWhatItDoesNotKnow(t *testing.T) {
	l, err := Decode([]byte(`{"v":1,"floor":7,"lost":3,"next":{"a":[1]}}`))
	if err != nil {
		t.Fatal(err)
	}
	l.Floor, l.Lost = 8, 0
	data, err := Encode(l)
	if want := `{"epochs":null,"floor":8,"next":{"a":[1]},"v":1}`; err != nil || string(data) != want {
		t.Errorf("%s, %v; want %s", data, err, want)
	}
	all := Ledger{
		Installation: "i", Epochs: []Range{{}}, Floor: 1, Pins: map[string]Pin{"p": {}}, Pinnings: 1, Released: []Release{{}}, Forgotten: 1, Lost: 1, Replaced: 1,
	}
	if data, err = Encode(all); err != nil {
		t.Fatal(err)
	}
	if l, err = Decode(data); err != nil || len(l.unknown) > 0 {
		t.Errorf("%v, %v of %s is unknown", err, l.unknown, data)
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

// TestReplaces: an older document does not replace a newer one in memory, whatever
// revisions they have; the ledger's stream may have been created again.
func TestReplaces(t *testing.T) {
	ledger := func(epoch, pinnings, floor uint64) *Ledger {
		return &Ledger{Epochs: []Range{{Epoch: epoch}}, Pinnings: pinnings, Floor: floor}
	}
	for name, c := range map[string]struct {
		l, known *Ledger
		want     bool
	}{
		"nothing is known":   {ledger(1, 0, 0), nil, true},
		"no epoch is known":  {ledger(1, 0, 0), &Ledger{}, true},
		"one without epochs": {&Ledger{}, ledger(1, 0, 0), false},
		"the same":           {ledger(2, 3, 4), ledger(2, 3, 4), true},
		"a later epoch":      {ledger(3, 3, 0), ledger(2, 3, 4), true},
		"an earlier epoch":   {ledger(1, 9, 9), ledger(2, 3, 4), false},
		"a later pin":        {ledger(2, 4, 4), ledger(2, 3, 4), true},
		"an earlier pin":     {ledger(2, 2, 4), ledger(2, 3, 4), false},
		"a higher floor":     {ledger(2, 3, 5), ledger(2, 3, 4), true},
		"a lower floor":      {ledger(2, 3, 3), ledger(2, 3, 4), false},
	} {
		if got := c.l.Replaces(c.known); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
