package rawjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event/rawjson"
)

// walk collects what a walk tells of a text: of members of the same name the
// last, as encoding/json has it.
func walk(data []byte) (map[string]json.RawMessage, rawjson.Kind) {
	got := map[string]json.RawMessage{}
	m := rawjson.Walk(data)
	for m.Next() {
		got[rawjson.Text(m.Name())] = bytes.Clone(m.Value())
	}
	if m.Next() {
		return nil, 99 // the end must stay the end
	}
	if m.Kind() != rawjson.Object {
		return nil, m.Kind()
	}
	return got, rawjson.Object
}

// naive is the same by way of encoding/json.
func naive(data []byte) (map[string]json.RawMessage, rawjson.Kind) {
	if !json.Valid(data) {
		return nil, rawjson.Invalid
	}
	var want map[string]json.RawMessage
	if json.Unmarshal(data, &want) != nil || want == nil {
		return nil, rawjson.Other
	}
	return want, rawjson.Object
}

func compare(t *testing.T, data []byte) {
	t.Helper()
	got, gotKind := walk(data)
	want, wantKind := naive(data)
	if gotKind != wantKind {
		t.Fatalf("%.100q is of kind %d, want %d", data, gotKind, wantKind)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%.100q: members differ (-encoding/json +walked):\n%s", data, diff)
	}
}

func TestMembersAgreesWithEncodingJSON(t *testing.T) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, "{\"a\" :\t1 ,\r\n \"b\": [ 1 , {\"a\":2} ] } ", `{"a":1,"a":2}`, `{"\u0061":1,"a":2}`,
		`{"a":{"a":{}}, "b":[[],[{}]]}`, `{"a":-0.5e+10,"b":1e999999,"c":123456789012345678901234567890}`,
		`{"a":true,"b":false,"c":null,"d":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, "{\"\xff\":\"\xff\"}",
		`[]`, `[{"a":1}]`, `1`, `"a"`, `null`, `true`, ` 0 `,
		``, ` `, `{`, `}`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `{"a":1}}`, `{"a":1}{}`, `{} x`,
		`{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":-}`, `{"a":tru}`, `{"a":nul`, `{a:1}`, `{'a':1}`,
		`{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, "{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"a\":\"b", `{"a`, "\ufeff{}", "{\"a\":\x0b1}",
	} {
		compare(t, []byte(s))
	}
}

func TestMembersBoundsNesting(t *testing.T) {
	for _, tc := range []struct {
		open, end string
		depth     int
	}{
		{`[`, `]`, 63},
		{`[`, `]`, 64},
		{`[`, `]`, 65},
		{`[`, `]`, 129},
		{`[`, `]`, 10000},
		{`[`, `]`, 10001},
		{`[`, `]`, 100000},
		{`{"a":`, `}`, 9999},
		{`[{"a":`, `}]`, 5001},
		{`[{"a":`, `}]`, 4999},
	} {
		nested := strings.Repeat(tc.open, tc.depth) + "1" + strings.Repeat(tc.end, tc.depth)
		compare(t, []byte(nested))
		compare(t, []byte(`{"a":`+nested+`}`))
		compare(t, []byte(strings.Repeat(tc.open, tc.depth)))
	}
}

func TestExact(t *testing.T) {
	for raw, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\u0061\n"`: "a\n", `"\ud83d\ude00"`: "😀", `"\uD83D\uDE00"`: "😀", `"\\ud800"`: `\ud800`,
		`"\ufffd"`: "\ufffd", "\"\ufffd\"": "\ufffd",
	} {
		if got, ok := rawjson.Exact([]byte(raw)); !ok || got != want {
			t.Errorf("%s is %q, %t; want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{
		"\"\xff\"", `"\ud800"`, `"\udc00"`, `"\ud800a"`, `"\ud800\n"`, `"\ud800\u0041"`, `"\ud800\ud800"`, `"\ude00\ud83d"`,
	} {
		if got, ok := rawjson.Exact([]byte(raw)); ok {
			t.Errorf("%s passes for %q", raw, got)
		}
	}
}

func TestMembersDoesNotAllocate(t *testing.T) {
	data := []byte(`{"id":"42","name":"Ada","address":{"city":"London","lines":["a","b"]},"n":[1,2.5e3,null,true]}`)
	n := testing.AllocsPerRun(100, func() {
		m := rawjson.Walk(data)
		for m.Next() {
			_, _ = rawjson.Plain(m.Name())
		}
		if m.Kind() != rawjson.Object {
			t.Error("not an object")
		}
	})
	if n != 0 {
		t.Errorf("a walk allocates %v times", n)
	}
}

// FuzzMembers holds the walk against encoding/json.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"id":"42"}`))
	f.Fuzz(func(t *testing.T, data []byte) { compare(t, data) })
}
