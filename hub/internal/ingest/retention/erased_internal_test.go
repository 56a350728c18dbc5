package retention

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
)

// erasedMark is the mark of an event that was stored at a second.
func erasedMark(epoch, seq uint64, second int64) Mark {
	return Mark{Position: event.Position{Epoch: epoch, Seq: seq}, Time: time.Unix(second, 7).UTC()}
}

func TestErasedAsJSON(t *testing.T) {
	for name, want := range map[string]Erased{
		"none": nil,
		"some": {erasedMark(1, 7, 100), erasedMark(1, 8, 100), erasedMark(3, 90_000, 50), erasedMark(3, 90_001, 2_000_000_000)},
	} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Erased
		if err := json.Unmarshal(text, &got); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %s is read as %v, %v", name, text, got, err)
		}
	}
	for _, text := range []string{`7`, `"!"`, `"AQ"`, `"AQc"`, `"AQcAAQAA"`, `"AQf/////////////"`} {
		var got Erased
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}

// Explains takes a gap for erased events only if each of them has a mark of the present
// epoch, at a time between its neighbours.
func TestExplains(t *testing.T) {
	created := time.Unix(1, 0)
	l := Ledger{
		Epochs: []Range{{Epoch: 1, First: 1, Created: created}, {Epoch: 2, First: 100, Created: created}},
		Erased: Erased{erasedMark(1, 11, 11), erasedMark(1, 12, 12), erasedMark(1, 21, 99), erasedMark(1, 101, 101), erasedMark(2, 111, 111)},
	}
	for name, tt := range map[string]struct {
		at, next Mark
		marks    int
		ok       bool
	}{
		"no gap":                {erasedMark(1, 10, 10), erasedMark(1, 11, 11), 0, true},
		"two erased events":     {erasedMark(1, 10, 10), erasedMark(1, 13, 13), 2, true},
		"behind an erased one":  {erasedMark(1, 11, 11), erasedMark(1, 13, 13), 1, true},
		"one of them is lost":   {erasedMark(1, 10, 10), erasedMark(1, 14, 14), 0, false},
		"a lost one in front":   {erasedMark(1, 9, 9), erasedMark(1, 13, 13), 0, false},
		"another time":          {erasedMark(1, 20, 20), erasedMark(1, 22, 22), 0, false},
		"of an earlier epoch":   {erasedMark(2, 100, 100), erasedMark(2, 102, 102), 0, false},
		"of the present epoch":  {erasedMark(2, 110, 110), erasedMark(2, 112, 112), 1, true},
		"the place has no time": {Mark{Position: event.Position{Epoch: 1, Seq: 10}}, erasedMark(1, 12, 12), 1, true},
	} {
		if marks, ok := l.Explains(tt.at, tt.next); ok != tt.ok || ok && len(marks) != tt.marks {
			t.Errorf("%s: %v, %v", name, marks, ok)
		}
	}
}

// The list of erasures adds up pages, and does not grow for ever.
func TestErasuresAreNoted(t *testing.T) {
	var l Ledger
	begun, ended := time.Unix(1, 0), time.Unix(2, 0)
	l.note(Erasure{ID: "a", Entity: "user", Key: "k", Hub: "one", Events: 1}, begun)
	l.note(Erasure{ID: "a", Entity: "user", Key: "k", Hub: "two", Events: 2, Copies: 3, Ended: time.Now()}, ended)
	want := []Erasure{{ID: "a", Entity: "user", Key: "k", Hub: "two", Begun: begun, Ended: ended, Events: 3, Copies: 3}}
	if diff := cmp.Diff(want, l.Noted); diff != "" {
		t.Error(diff)
	}
	for i := range 2 * maxErasures {
		l.note(Erasure{ID: string(rune('b' + i))}, begun)
	}
	if len(l.Noted) != maxErasures || l.Noted[0].ID == "a" {
		t.Errorf("%d erasures, the first is %s", len(l.Noted), l.Noted[0].ID)
	}
}

// A document that lost its last writes: what a hub knows is added, and the hub takes the
// result in place of what it knows, whatever was written to the document since.
func TestRecallWithinAnEpoch(t *testing.T) {
	epochs := []Range{{Epoch: 1, First: 1}}
	known := Ledger{
		Epochs: epochs, Floor: 5, Pinnings: 10, Policies: map[string]PolicyMark{"user": {Rev: 5}},
		Pins: map[string]Pin{"s/1": {Seq: 30}}, Erased: Erased{erasedMark(1, 3, 3), erasedMark(1, 20, 20)}, Erasures: 3,
	}
	for name, doc := range map[string]Ledger{
		"nothing since":    {Pinnings: 4, Floor: 1, Erasures: 1},
		"an erasure since": {Pinnings: 4, Floor: 5, Erasures: 2, Erased: Erased{erasedMark(1, 25, 25)}},
		"as many erasures": {Pinnings: 4, Floor: 5, Erasures: 3, Erased: Erased{erasedMark(1, 25, 25)}},
		"more erasures":    {Pinnings: 4, Floor: 5, Erasures: 9, Erased: Erased{erasedMark(1, 25, 25)}},
	} {
		doc.Epochs = epochs
		l, improved := (&Read{Ledger: doc, Revision: 7, Known: &known}).latest()
		_, recalled := l.ErasedAt(20)
		_, pinned := l.Pins["s/1"]
		if !improved || !recalled || !pinned || l.Policies["user"].Rev != 5 || l.Floor != 5 {
			t.Errorf("%s: improved %v, %+v", name, improved, l)
		}
		if _, kept := l.ErasedAt(25); kept != (len(doc.Erased) > 0) || !l.Replaces(&known) || l.Erasures <= max(known.Erasures, doc.Erasures) {
			t.Errorf("%s: it is not heard: %+v", name, l)
		}
		if _, again := (&Read{Ledger: l, Revision: 8, Known: &l}).latest(); again {
			t.Errorf("%s: it is improved again", name)
		}
	}
}
