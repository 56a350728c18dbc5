package digest_test

import (
	"fmt"
	"testing"

	"github.com/replhub/replhub/internal/digest"
)

// Values that a column's rule stores as one have one form, and others have not.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		form   digest.Form
		a, b   string
		differ bool
	}{
		{digest.Number, `1.10`, `1.1`, false},
		{digest.Number, `1e3`, `"1000"`, false},
		{digest.Number, `-0`, `0`, false},
		{digest.Number, `12345678901234567890123456789012345678`, `12345678901234567890123456789012345679`, true},
		{digest.Number, `9007199254740993`, `9007199254740992`, true},
		{digest.Number, `1e400`, `1e401`, true},
		{digest.Number, `true`, `1`, false},
		{digest.Number, `"1e3"`, `1000`, true},
		{digest.Text, `1.10`, `1.1`, true},
		{digest.Text, `"1.10"`, `1.10`, false},
		{digest.Text, `"\u0041"`, `"A"`, false},
		{digest.Text, `"a"`, `"A"`, true},
		{digest.Text, `""`, `null`, true},
		{digest.Moment, `"2024-01-02T03:04:05+05:30"`, `"2024-01-01 21:34:05.000"`, false},
		{digest.Moment, `"2024-01-02T03:04:05Z"`, `"2024-01-02T03:04:05+01:00"`, true},
		{digest.Moment, `"2024-01-02T03:04:05.123456Z"`, `"2024-01-02T03:04:05.123Z"`, true},
		{digest.Clock, `"12:30:45.100"`, `"12:30:45.1"`, false},
		{digest.Clock, `"12:30:45+01"`, `"12:30:45+01:00"`, false},
		{digest.Clock, `"12:30:45+01:00"`, `"11:30:45+00:00"`, true},
		{digest.JSON, `{"b":1.0,"a":[1e3,"x"]}`, `{ "a": [1000, "x"], "b": 1 }`, false},
		{digest.JSON, `[1,2]`, `[2,1]`, true},
		{digest.JSON, `["a,b"]`, `["a","b"]`, true},
		{digest.JSON, `"1"`, `1`, true},
		{digest.Loose, `"42"`, `42`, true},
		{digest.Loose, `42`, `42.0`, false},
		{digest.Bytes, `"AQID"`, `"\\x010203"`, false},
		{"[]number", `[1.0,null]`, `[1,null]`, false},
		{"[]text", `["a",null]`, `["a","null"]`, true},
		{"[]text", `["ab","c"]`, `["a","bc"]`, true},
		{digest.Moment, `"yesterday"`, `"yesterday "`, true},
	} {
		if a, b := c.form.Of([]byte(c.a)), c.form.Of([]byte(c.b)); (a != b) != c.differ {
			t.Errorf("%s: %s is %q, %s is %q", c.form, c.a, a, c.b, b)
		}
	}
}

// A value that is not of the form differs from all that are.
func TestFormOfAnotherKind(t *testing.T) {
	for form, raw := range map[digest.Form]string{digest.Bool: `"true"`, digest.Bytes: `1`, digest.Moment: `5`, "[]text": `"a"`} {
		if normal := form.Of([]byte(raw)); normal[0] != 'x' {
			t.Errorf("%s: %s is %q", form, raw, normal)
		}
	}
}

// A member that is missing, hidden, below a null and behind what has no members.
func TestColumnsOfAPayload(t *testing.T) {
	columns := digest.NewColumns([]digest.Column{
		{Path: "a.b", Form: "number"}, {Path: "c", Form: "text", Absent: "tnone"}, {Path: "d", Form: "text", Hidden: true}, {Path: "a", Form: "json"},
	})
	for payload, want := range map[string]string{
		`{"a":{"b":1},"c":"x","d":"y"}`: `["n1" "tx" "0" "j{1\"b:n1,}"]`,
		`{"a":null}`:                    `["0" "tnone" "0" "0"]`,
		`{"a":[1],"c":null}`:            `["w" "0" "0" "j[n1,]"]`,
		`{}`:                            `["0" "tnone" "0" "0"]`,
	} {
		if got := fmt.Sprintf("%q", columns.Of([]byte(payload))); got != want {
			t.Errorf("%s: %s, want %s", payload, got, want)
		}
	}
}

// Sums do not depend on the order of rows, and tell in which bucket rows differ.
func TestSums(t *testing.T) {
	const buckets = 64
	a, b := make(digest.Sums, buckets), make(digest.Sums, buckets)
	for n := range 1000 {
		key, back := fmt.Sprint(n), fmt.Sprint(999-n)
		a.Add(key, digest.Hash(key, []string{"t" + key}))
		value := "t" + back
		if back == "77" {
			value = "tother"
		}
		b.Add(back, digest.Hash(back, []string{value}))
	}
	differ := a.Differ(b)
	for n := range buckets {
		if differ.Has(n) != (n == digest.Bucket("77", buckets)) {
			t.Errorf("bucket %d differs: %v", n, differ.Has(n))
		}
	}
	raw, err := a.MarshalBinary()
	var back digest.Sums
	if err != nil || back.UnmarshalBinary(raw) != nil || !a.Differ(back).Empty() {
		t.Error("sums are not read as they were written")
	}
}
