package digest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// decoded is the form of a JSON value as encoding/json decodes it: what appendJSON is
// compared with.
func decoded(b []byte, value any) []byte {
	switch v := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		b = append(b, '{')
		for _, name := range names {
			b = append(decoded(b, name), ':')
			b = append(decoded(b, v[name]), ',')
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for _, element := range v {
			b = append(decoded(b, element), ',')
		}
		return append(b, ']')
	case string:
		return fmt.Appendf(b, "%d\"%s", len(v), v)
	case json.Number:
		if number, ok := canonical(v.String()); ok {
			return append(append(b, 'n'), number...)
		}
		return append(append(b, tagOther...), v...)
	case bool:
		return fmt.Appendf(b, "%t", v)
	}
	return append(b, "null"...)
}

// What is cut out of JSON is what encoding/json finds in it, for every JSON: the form of a
// value, and the members of an object.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, ` { "a" : [ 1 , {"b":null} , "x,]}" ] , "a":2 } `, `"\u0041\\\"}"`, `-1.50e3`, `{"\u0061":1,"a":2}`, "{\"\xff\":1,\"\xfe\":2,\"a\":\"\xff\"}",
		`{"a":{"a":{"a":[[[]]]}}}`, `true`, ` null `, `{"":""}`, `1e999999999999`, "{\"a\":\"\\ud800\"}", `[1,2`, `{"a":tru}`, `{"b":1,"a":{"d":1,"c":2}}`,
	} {
		f.Add([]byte(seed))
	}
	columns := NewColumns([]Column{{Path: "a", Form: "json"}, {Path: "a.a", Form: "text"}, {Path: "\ufffd", Form: "json"}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.TrimSpace(raw)
		values := columns.Of(raw)
		var found map[string]json.RawMessage
		if json.Unmarshal(raw, &found) != nil {
			if values[0] != Nowhere || values[1] != Nowhere {
				t.Errorf("%q is no object: %q", raw, values)
			}
		} else {
			for n, name := range []string{"a", "", "\ufffd"} {
				want := Null
				if value, ok := found[name]; ok {
					want = Form("json").Of(value)
				}
				if name != "" && values[n] != want {
					t.Errorf("%q: member %q is %q, want %q", raw, name, values[n], want)
				}
			}
		}
		if !json.Valid(raw) {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var value any
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if got, want := string(appendJSON(nil, raw)), string(decoded(nil, value)); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	})
}

func BenchmarkColumns(b *testing.B) {
	columns := NewColumns([]Column{{Path: "name", Form: "text"}, {Path: "email", Form: "text"}, {Path: "balance", Form: "number"}, {Path: "active", Form: "bool"}, {Path: "seen", Form: "moment"}, {Path: "address", Form: "json"}})
	row := []byte(`{"id" : 4711, "name" : "name 4711", "email" : "user4711@example.com", "balance" : 47.11, "active" : true, "seen" : "2024-01-01T01:18:31+00:00", "address" : {"zip": 4711, "city": "city 711"}}`)
	b.ReportAllocs()
	for b.Loop() {
		Hash("4711", columns.Of(row))
	}
}
