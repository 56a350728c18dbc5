package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// The window's limit is kept whatever is large about its events, and one event
// that is larger passes.
func TestWindowIsBoundedInBytes(t *testing.T) {
	for name, c := range map[string]struct {
		header, data int
	}{
		"large payloads":  {0, 100_000},
		"large headers":   {60_000, 2},
		"small events":    {0, 2},
		"one fills it":    {0, 1 << 20},
		"beyond the part": {0, 200 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 1 << 20
			w := newWindow(limit)
			w.reset(Mark{Position: event.Position{Epoch: 1}})
			header := map[string][]string{"Nats-Whatever": {strings.Repeat("h", c.header)}}
			size := 0
			for seq := uint64(1); seq <= 3000 && w.added < 3*limit; seq++ {
				e, err := event.Decode(event.Position{Epoch: 1, Seq: seq}, time.Unix(1, 0), "db.user.update", header, make([]byte, c.data))
				if err != nil {
					t.Fatal(err)
				}
				size = e.Size()
				w.add(e)
				held := 0
				for _, b := range w.blocks {
					held += Block{Events: b.events}.Size()
				}
				if held > max(limit, size) {
					t.Fatalf("%d bytes in a window of %d", held, limit)
				}
			}
			_, start, end := w.state()
			if end.Seq == start.Seq || uint64(limit/2) > (end.Seq-start.Seq)*uint64(size) {
				t.Errorf("%d events of %d bytes in a window of %d", end.Seq-start.Seq, size, limit)
			}
			generation, _, _ := w.state()
			if b, ok := w.after(generation, start.Position); !ok || len(b.Events) == 0 || b.Size() > max(2*minBlockBytes, limit/blockParts)+size {
				t.Errorf("a block of %d events, %d bytes", len(b.Events), b.Size())
			}
		})
	}
}

// The tail stays within its window ahead of who reads, in bytes too.
func TestWindowIsPacedInBytes(t *testing.T) {
	w := newWindow(1 << 20)
	w.reset(Mark{Position: event.Position{Epoch: 1}})
	generation, start, _ := w.state()
	seq := uint64(0)
	add := func() int {
		n := 0
		for ; !w.ahead(); n++ {
			seq++
			e, err := event.Decode(event.Position{Epoch: 1, Seq: seq}, time.Unix(1, 0), "db.user.update", nil, make([]byte, 50_000))
			if err != nil {
				t.Fatal(err)
			}
			w.add(e)
		}
		return n
	}
	at := start.Position
	for range 5 {
		if n := add(); n == 0 || n > 12 {
			t.Fatalf("%d events of 50 kB ahead in a window of 1 MiB", n)
		}
		for at.Seq < seq {
			b, ok := w.after(generation, at)
			if !ok {
				t.Fatalf("%d was pushed out while its reader was at work", at.Seq)
			}
			at = b.Events[len(b.Events)-1].Pos
		}
	}
}
