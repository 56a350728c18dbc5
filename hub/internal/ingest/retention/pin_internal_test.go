package retention

import (
	"fmt"
	"testing"
	"time"
)

// A trim looks at the lanes, and then moves the floor. What a registration pins in
// between, or had pinned before and releases in between, is kept all the same.
func TestAllowed(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Minute)
	for name, c := range map[string]struct {
		before, after func(l *Ledger)
		seq           uint64
		known         bool
	}{
		"no pin":                        {nil, nil, 80, true},
		"set before, still set":         {func(l *Ledger) { l.pin("a", 40, later) }, nil, 40, true},
		"set after":                     {nil, func(l *Ledger) { l.pin("a", 40, later) }, 40, true},
		"set before, released after":    {func(l *Ledger) { l.pin("a", 40, later) }, func(l *Ledger) { l.unpin("a") }, 40, true},
		"set and released after":        {nil, func(l *Ledger) { l.pin("a", 40, later); l.unpin("a") }, 40, true},
		"set before, expired after":     {func(l *Ledger) { l.pin("a", 40, now) }, func(l *Ledger) { l.expire(l.overdue(later)) }, 40, true},
		"released before":               {func(l *Ledger) { l.pin("a", 40, later); l.unpin("a") }, nil, 80, true},
		"released before, others after": {func(l *Ledger) { l.pin("a", 40, later); l.unpin("a") }, func(l *Ledger) { l.pin("b", 60, later); l.unpin("b") }, 60, true},
		"several of one registration":   {nil, func(l *Ledger) { l.pin("a", 40, later); l.pin("a", 60, later); l.unpin("a") }, 40, true},
		"above what is wanted":          {nil, func(l *Ledger) { l.pin("a", 200, later) }, 80, true},
		"more than is remembered": {nil, func(l *Ledger) {
			for i := range maxReleased + 1 {
				id := fmt.Sprint(i)
				l.pin(id, 40, later)
				l.unpin(id)
			}
		}, 0, false},
		"as many as are remembered": {nil, func(l *Ledger) {
			for i := range maxReleased {
				id := fmt.Sprint(i)
				l.pin(id, uint64(40+i), later)
				l.unpin(id)
			}
		}, 40, true},
		"the stream is another": {nil, func(l *Ledger) { l.dropPins() }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := &Ledger{Floor: 1}
			if c.before != nil {
				c.before(l)
			}
			looked := l.Pinnings
			if c.after != nil {
				c.after(l)
			}
			seq, known := l.allowed(80, looked)
			if known != c.known || known && seq != c.seq {
				t.Errorf("may move to %d, %v; want %d, %v", seq, known, c.seq, c.known)
			}
		})
	}
	// Pins that another hub set were lost with the ledger: what this hub knows stands in
	// for it, and says nothing of them.
	known := Ledger{Floor: 1}
	known.pin("a", 40, later)
	looked := known.Pinnings
	again := Read{Known: &known, Random: 5}.lastKnown()
	if _, told := again.allowed(80, looked); told {
		t.Error("a look from before the ledger was lost is taken for one since")
	}
	// A ledger that was lost begins to count again.
	if _, known := (&Ledger{}).allowed(80, 7); known {
		t.Error("a count from before the ledger was lost is taken for one of this ledger")
	}
}

// A ledger that was lost does not know the pins that were lost with it, whatever its count
// of pinnings is: no trim goes by it until all lanes are fenced.
func TestTrimGoesByNoLostLedger(t *testing.T) {
	tr := trim{epoch: 1, pinnings: 3}
	l := Ledger{Epochs: []Range{{Epoch: 1}}, Pinnings: 3}
	if seq, known := tr.allowed(&l, 10); seq != 10 || !known {
		t.Errorf("up to %d, known %t; want 10", seq, known)
	}
	l.Lost = 7
	if seq, known := tr.allowed(&l, 10); known {
		t.Errorf("up to %d by a ledger that was lost", seq)
	}
}

// An operation of a hub reads the ledger, and another one releases a pin before the answer
// is there. The document is not behind what the hub knew, so it gets no pin back.
func TestReleasedPinIsNotSetAgain(t *testing.T) {
	document := Ledger{Epochs: []Range{{Epoch: 1}}, Floor: 1}
	until := time.Unix(1000, 0)
	document.pin("a", 40, until)
	before, now := document.clone(), document.clone()
	now.unpin("a")
	read := Read{Ledger: document, Revision: 3, Random: 5}
	if l, improved := read.Beside(&before, &now).latest(); improved || l.Pinnings != document.Pinnings {
		t.Errorf("a document that was read before a release counts as one that lost writes: %+v", l)
	}
	// The ledger's stream lost the last write that this hub had read.
	later := now.clone()
	later.pin("b", 50, until)
	l, improved := read.Beside(&now, &later).latest()
	if _, held := l.Pins["b"]; !improved || !held || l.Pinnings <= later.Pinnings {
		t.Errorf("a ledger that lost writes gets %+v", l)
	}
	// The ledger was deleted.
	if l, _ := (Read{Random: 5}).Beside(&before, &later).latest(); l.Pins["b"].Seq != 50 || len(l.Pins) != 1 {
		t.Errorf("a ledger that was deleted gets %+v", l)
	}
}
