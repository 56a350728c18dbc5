package row

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/replhub/replhub/capture/internal/change"
)

// keyed is a Shape whose columns "a", "b", ... are of the given types, and belong to the
// key.
func keyed(t testing.TB, oids ...uint32) *Shape {
	t.Helper()
	var columns []Column
	var key []string
	for n, oid := range oids {
		rule, ok := builtin(oid)
		if !ok {
			t.Fatalf("OID %d is not PostgreSQL's own", oid)
		}
		name := string(rune('a' + n))
		columns, key = append(columns, Column{Name: name, Type: rule}), append(key, name)
	}
	s, err := NewShape("user", "users", columns, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tuple(texts ...string) change.Tuple {
	var t change.Tuple
	for _, text := range texts {
		t = append(t, change.Value{Kind: change.Text, Text: []byte(text)})
	}
	return t
}

func TestKey(t *testing.T) {
	for _, c := range []struct {
		oids  []uint32
		texts []string
		want  string // empty: there is no key
	}{
		{[]uint32{pgtype.Int8OID}, []string{"9007199254740993"}, "9007199254740993"},
		{[]uint32{pgtype.TextOID}, []string{`a "b" \`}, `a "b" \`},
		{[]uint32{pgtype.BPCharOID}, []string{"ab   "}, "ab"},
		{[]uint32{pgtype.NumericOID}, []string{"1.10"}, "1.1"},
		{[]uint32{pgtype.NumericOID}, []string{"100"}, "100"},
		{[]uint32{pgtype.NumericOID}, []string{"0.00"}, "0"},
		{[]uint32{pgtype.NumericOID}, []string{"NaN"}, "NaN"},
		{[]uint32{pgtype.ByteaOID}, []string{`\x00ff`}, "AP8="},
		{[]uint32{pgtype.BoolOID}, []string{"t"}, "true"},
		{[]uint32{pgtype.TimestamptzOID}, []string{"2024-01-02 03:04:05+00"}, "2024-01-02T03:04:05Z"},
		{[]uint32{pgtype.TextOID, pgtype.Int4OID}, []string{`a","b`, "1"}, `["a\",\"b",1]`},
		{[]uint32{pgtype.TextOID, pgtype.TextOID}, []string{"", " \n\x7f"}, `[""," \u000a\u007f"]`},
		{[]uint32{pgtype.NumericOID, pgtype.ByteaOID}, []string{"2.50", `\x01`}, `[2.5,"AQ=="]`},
		{[]uint32{pgtype.TextOID}, []string{""}, ""},
		{[]uint32{pgtype.TextOID}, []string{" a"}, ""},
		{[]uint32{pgtype.TextOID}, []string{"a\u0085"}, ""},
		{[]uint32{pgtype.TextOID}, []string{"a\nb"}, ""},
		{[]uint32{pgtype.TextOID}, []string{strings.Repeat("x", 1025)}, ""},
		{[]uint32{pgtype.TextOID}, []string{"\xff"}, ""},
		{[]uint32{pgtype.TextOID, pgtype.TextOID}, []string{strings.Repeat("x", 1020), "y"}, ""},
	} {
		s := keyed(t, c.oids...)
		key, err := s.Key(tuple(c.texts...))
		if refused := (*KeyError)(nil); key != c.want || errors.As(err, &refused) != (c.want == "") {
			t.Errorf("%q: the key is %q, %v, want %q", c.texts, key, err, c.want)
		}
		if err != nil {
			if strings.Contains(err.Error(), c.texts[0]) && len(c.texts[0]) > 2 {
				t.Errorf("the error has the value: %v", err)
			}
			continue
		}
		literals, err := s.Literals(key)
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		again, err := s.Key(tuple(printed(s, literals)...))
		if err != nil || again != key {
			t.Errorf("the key %s is %q as literals, whose key is %s, %v", key, literals, again, err)
		}
	}
}

// printed are literals as PostgreSQL prints their values.
func printed(s *Shape, literals []string) []string {
	for n, at := range s.key {
		kind := s.columns[at].Type.kind
		if kind == kindBool {
			literals[n] = literals[n][:1]
		}
		if kind == kindMomentZone {
			literals[n] = strings.NewReplacer("T", " ", "Z", "+00").Replace(literals[n])
		}
	}
	return literals
}

// A key needs a value in each of its columns: without one, a change could be that of
// any row.
func TestKeyOfAnIncompleteRow(t *testing.T) {
	s := keyed(t, pgtype.TextOID, pgtype.TextOID)
	for _, v := range []change.Value{{Kind: change.Null}, {Kind: change.Unchanged}} {
		row := tuple("a", "b")
		row[1] = v
		if key, err := s.Key(row); err == nil {
			t.Errorf("%v: the key is %q", v.Kind, key)
		}
	}
}

func TestShapeRefuses(t *testing.T) {
	text, float := Type{}, Type{kind: kindFloat}
	for _, c := range []struct {
		columns []Column
		key     []string
		want    string
	}{
		{[]Column{{Name: "a", Type: text}}, nil, "has no key"},
		{[]Column{{Name: "a", Type: text}}, []string{"b"}, `no column "b"`},
		{[]Column{{Name: "a", Type: float}}, []string{"a"}, "several texts"},
		{[]Column{{Name: "a", Type: text, Excluded: true}}, []string{"a"}, "cannot be excluded"},
	} {
		if _, err := NewShape("user", "public.users", c.columns, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, key %v: got %v, want %q", c.columns, c.key, err, c.want)
		}
	}
}

func TestPayload(t *testing.T) {
	s, err := NewShape("user", "users", []Column{{Name: "id"}, {Name: "secret", Excluded: true}, {Name: `a"b`}}, []string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	row := append(tuple("1", "x"), change.Value{})
	if got, err := s.Row([]byte("before "), row); string(got) != `before {"id":"1","a\"b":null}` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := s.KeyRow(nil, row); string(got) != `{"id":"1"}` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	row[2].Kind = change.Unchanged
	if got, err := s.Row(nil, row); err == nil {
		t.Errorf("a value that was left out became %s", got)
	}
	if got, err := s.Row(nil, row[:2]); err == nil {
		t.Errorf("a row without a column became %s", got)
	}
}

// Two rows have one key only if their values are the same, and a key tells its values.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "a", "b")
	f.Add("a,b", "c", "a", "b,c")
	f.Add(`a","b`, "c", "a", `b","c`)
	f.Add("", "\x00", "\\u0000", "")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		s := keyed(t, pgtype.TextOID, pgtype.VarcharOID)
		first, err := s.Key(tuple(a, b))
		if err != nil {
			return
		}
		if second, err := s.Key(tuple(c, d)); err == nil && (first == second) != (a == c && b == d) {
			t.Fatalf("%q, %q is %s and %q, %q is %s", a, b, first, c, d, second)
		}
		if literals, err := s.Literals(first); err != nil || !slices.Equal(literals, []string{a, b}) {
			t.Fatalf("%s became %q, %v", first, literals, err)
		}
	})
}

// The text of an array is read to its end, or refused.
func FuzzArray(f *testing.F) {
	for _, text := range []string{"{}", `{a,"b\"c",NULL}`, "{{1},{2}}", "[0:1]={1,2}", `{"`, "{,}", `{a}b`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		array := Type{kind: kindArray, element: &Type{}, delimiter: ','}
		if out, err := array.append(nil, []byte(text)); err == nil && !json.Valid(out) {
			t.Fatalf("%q became %s", text, out)
		}
	})
}
