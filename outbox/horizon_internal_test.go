package outbox

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestParseSnapshot(t *testing.T) {
	for text, want := range map[string]snapshot{
		"10:20:10,14,15": {next: 20, open: []uint64{10, 14, 15}},
		"10:10:":         {next: 10},
	} {
		if got, err := parseSnapshot(text); err != nil || got.next != want.next || !slices.Equal(got.open, want.open) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "10:20", "a:b:c", "1:2:x", "1:-2:"} {
		if got, err := parseSnapshot(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// world is a shard as PostgreSQL keeps it: transactions that are open with the
// rows that they wrote, and rows that are committed.
type world struct {
	rand    *rand.Rand
	next    uint64
	id      int64
	open    map[uint64][]int64
	visible []int64
	now     time.Time
}

func (w *world) snapshot() snapshot {
	s := snapshot{next: w.next}
	for id := range w.open {
		s.open = append(s.open, id)
	}
	slices.Sort(s.open)
	return s
}

// step begins, writes or ends a transaction. The first one is long.
func (w *world) step() {
	switch n := w.rand.IntN(10); {
	case n < 3 && len(w.open) < 6:
		w.open[w.next] = nil
		w.next++
	case n < 7:
		for tx := range w.open {
			w.id++
			w.open[tx] = append(w.open[tx], w.id)
			break
		}
	default:
		for tx, rows := range w.open {
			if tx%7 == 0 && w.rand.IntN(40) > 0 {
				continue // held open
			}
			if w.rand.IntN(4) > 0 {
				w.visible = append(w.visible, rows...)
				slices.Sort(w.visible)
			}
			delete(w.open, tx)
			break
		}
	}
	w.now = w.now.Add(time.Duration(w.rand.IntN(300)) * time.Millisecond)
}

// scan is the rows that a statement sees behind an id.
func (w *world) scan(from int64, limit int) []int64 {
	at, _ := slices.BinarySearch(w.visible, from+1)
	return slices.Clone(w.visible[at:min(at+limit, len(w.visible))])
}

// A scan behind the horizon finds what one of all rows finds, whatever
// transactions do.
func TestHorizonHidesNothing(t *testing.T) {
	moved := 0
	for seed := range uint64(300) {
		w := &world{rand: rand.New(rand.NewPCG(seed, 1)), next: 7, open: map[uint64][]int64{}, now: time.Unix(1e9, 0)}
		var h horizon
		for range 400 {
			w.step()
			if w.rand.IntN(3) > 0 {
				continue
			}
			s := w.snapshot()
			limit := 1 + w.rand.IntN(5)
			found := w.scan(h.from(), limit)
			for !h.holds(s) {
				found = w.scan(h.from(), limit)
			}
			if all := w.scan(0, limit); !slices.Equal(found, all) {
				t.Fatalf("seed %d: %v behind %d, %v in all", seed, found, h.from(), all)
			}
			lowest := int64(0)
			if len(found) > 0 {
				lowest = found[0]
			}
			h.scanned(s, lowest, w.now)
			for range w.rand.IntN(3) {
				w.step() // while the rows are published
			}
			if len(found) > 0 && w.rand.IntN(5) > 0 {
				w.visible = slices.DeleteFunc(w.visible, func(id int64) bool { return slices.Contains(found, id) })
				h.settled(s, found[len(found)-1], w.now)
			}
			if h.from() > 0 {
				moved++
			}
		}
	}
	if moved < 1000 {
		t.Errorf("the horizon moved on in %d scans", moved)
	}
}

// A transaction that is held open holds the horizon for about a second.
func TestHorizonGoesAroundAnOpenTransaction(t *testing.T) {
	var h horizon
	now := time.Unix(1e9, 0)
	held := uint64(5)
	for i := range int64(1000) {
		now = now.Add(10 * time.Millisecond)
		s := snapshot{next: uint64(100 + i), open: []uint64{held}}
		if !h.holds(s) {
			t.Fatal("it does not hold")
		}
		h.scanned(s, 100+i, now)
		h.settled(s, 100+i, now)
	}
	if behind := 1099 - h.from(); behind > 250 || len(h.marks) != 1 {
		t.Errorf("%d rows behind the last one, %d marks", behind, len(h.marks))
	}
	// It ends, and what it wrote is looked for from the beginning.
	if s := (snapshot{next: 2000}); h.holds(s) || h.from() != 0 || !h.holds(s) {
		t.Errorf("from %d after the transaction's end", h.from())
	}
}
