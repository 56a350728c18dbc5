package lane

import (
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/core"
)

// BenchmarkTrace is what tracing costs an append of one copy: off, and on for an event
// without a trace.
func BenchmarkTrace(b *testing.B) {
	a := core.Append{Msgs: []Message{{Subject: "sub.sharing.user.update.0", Header: event.NewHeader(map[string][]string{
		"Replhub-Position": {"1-1"}, "Replhub-Time": {"t"}, "Replhub-Key": {"42"}, "Replhub-Id": {"a"},
	})}}}
	for name, traced := range map[string]func(CopyTrace) func(error){"off": nil, "on": func(CopyTrace) func(error) { return nil }} {
		b.Run(name, func(b *testing.B) {
			d := &driver{Lane: &Lane{env: &Env{Traced: traced}, stream: "SUB_sharing"}}
			b.ReportAllocs()
			for b.Loop() {
				d.trace(a)
			}
		})
	}
}

// The traces of an append end at the sequence that is known to be stored, and the others
// when the append is given up.
func TestTracedCopiesEnd(t *testing.T) {
	var list traced
	got := make(map[uint64]string)
	for seq := uint64(5); seq < 10; seq++ {
		list.copies = append(list.copies, tracedCopy{seq: seq, done: func(err error) {
			got[seq] += "stored"
			if err != nil {
				got[seq] = "lost"
			}
		}})
	}
	list.stored(4)
	if len(got) != 0 {
		t.Errorf("ended too soon: %v", got)
	}
	list.stored(6)
	list.stored(6)
	list.stored(7)
	list.lost()
	list.lost()
	for seq, want := range map[uint64]string{5: "stored", 6: "stored", 7: "stored", 8: "lost", 9: "lost"} {
		if got[seq] != want {
			t.Errorf("%d: %q, want %q", seq, got[seq], want)
		}
	}
}
