package engine

import (
	"testing"

	"github.com/replhub/replhub/internal/captured"
)

// A log proves itself by the last transactions that are stored, where its slot stands
// before them.
func TestProof(t *testing.T) {
	tx := func(commit captured.LSN) captured.Transaction {
		return captured.Transaction{Commit: commit, XID: uint32(commit), Time: 7}
	}
	last := func(commit captured.LSN) captured.Record {
		t := tx(commit)
		return captured.Record{Last: &t, Confirm: commit + 50}
	}
	other := tx(100)
	other.Time = 8
	for name, c := range map[string]struct {
		record captured.Record
		stored captured.LSN
		from   captured.LSN
		sent   []captured.Transaction
		idle   captured.LSN // after these
		want   bool
		open   bool
	}{
		"the slot stands behind":             {last(100), 100, 101, []captured.Transaction{tx(200)}, 300, true, false},
		"the transaction comes":              {last(100), 100, 90, []captured.Transaction{tx(100), tx(200)}, 300, true, false},
		"nothing came yet":                   {last(100), 100, 90, []captured.Transaction{tx(95)}, 100, true, true},
		"it does not come":                   {last(100), 100, 90, []captured.Transaction{tx(95), tx(200)}, 0, false, false},
		"it does not come in an idle log":    {last(100), 100, 90, nil, 101, false, true},
		"another one stands at its place":    {last(100), 100, 90, []captured.Transaction{other}, 0, false, false},
		"changes behind the record":          {last(100), 150, 90, []captured.Transaction{tx(100), tx(150)}, 300, true, false},
		"changes behind it that do not come": {last(100), 150, 90, []captured.Transaction{tx(100), tx(160)}, 0, false, false},
		"a record without a transaction":     {captured.Record{}, 100, 90, []captured.Transaction{other}, 300, true, false},
		"nothing is stored":                  {captured.Record{}, 0, 90, []captured.Transaction{tx(100)}, 300, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, fits := newProof(c.record, captured.Position{Commit: c.stored, Change: c.stored}, c.from), true
			for _, one := range c.sent {
				if fits = fits && p.begins(one); !fits && !p.open() {
					t.Errorf("a log that does not fit counts as proven behind %v", one)
				}
			}
			fits = fits && p.passed(c.idle)
			if fits != c.want || fits && p.open() != c.open {
				t.Errorf("it fits: %v, and more has to come: %v", fits, p.open())
			}
		})
	}
}
