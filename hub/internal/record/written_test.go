package record_test

import (
	"slices"
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	lane "github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// A hub writes through what differs, and leaves requests and newer forms alone.
func TestWrittenThrough(t *testing.T) {
	service, err := subjects.ParseName("a")
	if err != nil {
		t.Fatal(err)
	}
	in := lane.Interest{ID: "x", Entity: "user", Rev: 2, Since: event.Position{Epoch: 1, Seq: 7}}
	state := lane.State{Interests: []lane.Interest{in}}
	older := in
	older.Rev = 1
	for name, tt := range map[string]struct {
		have string
		none bool
		want bool
	}{
		"none":                    {none: true, want: true},
		"an older definition":     {have: string(record.Encode(record.Of(older))), want: true},
		"what is in force":        {have: string(record.Encode(record.Of(in)))},
		"a request made by hand":  {have: ""},
		"its own claimed request": {have: `{"v":1,"id":"x"}`, want: true},
		"the request answered":    {have: `{"v":1,"id":"answered"}`, want: true},
		"another claimed request": {have: `{"v":1,"id":"y"}`},
		"another interest":        {have: `{"v":1,"id":"y","since":{"epoch":1,"seq":2}}`, want: true},
		"a record of a new form":  {have: `{"v":99}`},
		"garbage, which is wrong": {have: `{`, want: true},
	} {
		entries := map[string]tree.Entry{"entities/user/a": {Value: []byte(tt.have), Version: 3}}
		if tt.none {
			clear(entries)
		}
		writes := record.Through(entries, record.Versions{"entities/user/a": 4}, service, state, "answered")
		if len(record.Through(map[string]tree.Entry{"services/a": {Value: []byte(`{"v":99}`)}}, nil, service, lane.State{}, "")) > 0 {
			t.Error("a service's record of a newer form is written over")
		}
		if got := slices.ContainsFunc(writes, func(w record.Written) bool { return w.Path == "entities/user/a" }); got != tt.want {
			t.Errorf("over %s: %v, want %v", name, got, tt.want)
		}
		for _, w := range writes {
			if want := map[string]tree.Version{"entities/user/a": 4, "services/a": tree.Absent}[w.Path]; w.Expect != want {
				t.Errorf("%s replaces version %d, want %d, by which it was decided", w.Path, w.Expect, want)
			}
		}
	}
}

// A hub replaces the version that it knows: of its copy, or a later one that it wrote.
func TestVersionsOfRecords(t *testing.T) {
	v := make(record.Versions)
	entries := map[string]tree.Entry{"a": {Version: 5}}
	want := func(path string, want tree.Version) {
		t.Helper()
		if got := v.Known(entries, path); got != want {
			t.Errorf("%s is known at %d, want %d", path, got, want)
		}
	}
	want("a", 5)
	want("b", tree.Absent)
	v.Wrote("a", 7)
	v.Wrote("b", 8)
	want("a", 7)
	want("b", 8)
	entries["a"] = tree.Entry{Version: 9}
	want("a", 9)
	v.Forget("b")
	want("b", tree.Absent)
}
