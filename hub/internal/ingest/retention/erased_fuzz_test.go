package retention

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// marksOf makes marks of bytes: an epoch, a sequence and a time each.
func marksOf(data []byte) (marks []Mark) {
	for ; len(data) >= 3; data = data[3:] {
		marks = append(marks, Mark{Position: event.Position{Epoch: uint64(data[0]), Seq: uint64(data[1]) + 1}, Time: time.Unix(0, int64(int8(data[2]))).UTC()})
	}
	return marks
}

// FuzzErased reads any text as the marks of erased events, and adds marks to them: what is
// accepted is ascending, comes back as it was written, and has for each sequence the mark of
// the latest epoch.
func FuzzErased(f *testing.F) {
	for _, marks := range []Erased{nil, marksOf([]byte{1, 1, 1}), marksOf([]byte{1, 1, 1, 1, 5, 9, 2, 200, 100})} {
		text, err := json.Marshal(marks)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), []byte{1, 5, 9, 2, 5, 3, 1, 5, 4})
	}
	f.Add(`"////"`, []byte(nil))
	f.Fuzz(func(t *testing.T, text string, more []byte) {
		var read Erased
		if json.Unmarshal([]byte(text), &read) != nil {
			return
		}
		others := marksOf(more)
		all := read.with(others)
		want := make(map[uint64]Mark)
		for _, m := range append(append([]Mark{}, read...), others...) {
			if have, ok := want[m.Seq]; !ok || m.Epoch >= have.Epoch {
				want[m.Seq] = m
			}
		}
		if len(all) != len(want) {
			t.Errorf("%d marks, want %d", len(all), len(want))
		}
		for i, m := range all {
			if i > 0 && m.Seq <= all[i-1].Seq {
				t.Errorf("%d stands behind %d", m.Seq, all[i-1].Seq)
			}
			if found, ok := all.at(m.Seq); !ok || found != want[m.Seq] {
				t.Errorf("at %d is %+v, want %+v", m.Seq, found, want[m.Seq])
			}
		}
		written, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		var again Erased
		if err := json.Unmarshal(written, &again); err != nil || !again.same(all) {
			t.Errorf("%v came back as %v: %v", all, again, err)
		}
	})
}
