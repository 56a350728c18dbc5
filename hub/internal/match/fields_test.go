package match_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
)

func TestProject(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields []string
		data   string
		want   string
	}{
		{"one", []string{"b"}, `{"a":1,"b":2}`, `{"b":2}`},
		{"in the order of the fields", []string{"b", "a"}, `{"a":1,"b":2}`, `{"b":2,"a":1}`},
		{"missing", []string{"a", "x"}, `{"a":1}`, `{"a":1}`},
		{"all missing", []string{"x"}, `{"a":1}`, `{}`},
		{"nested", []string{"a.b.c"}, `{"a":{"b":{"c":1,"d":2},"e":3}}`, `{"a":{"b":{"c":1}}}`},
		{"nested beside", []string{"a.b", "x", "a.c"}, `{"a":{"c":2,"b":1},"x":0}`, `{"a":{"b":1,"c":2},"x":0}`},
		{"nothing below", []string{"a.b"}, `{"a":{"c":1}}`, `{}`},
		{"below a scalar", []string{"a.b"}, `{"a":1}`, `{}`},
		{"below an array", []string{"a.b", "a.0"}, `{"a":[{"b":1,"c":2}]}`, `{"a":[{"b":1}]}`},
		{"below null", []string{"a.b"}, `{"a":null}`, `{}`},
		{"null is there", []string{"a"}, `{"a":null}`, `{"a":null}`},
		{"empty object is there", []string{"a"}, `{"a":{}}`, `{"a":{}}`},
		{"numbers as they are", []string{"a", "b", "c"}, `{"a":1.0e+03,"b":123456789012345678901234567890,"c":-0}`, `{"a":1.0e+03,"b":123456789012345678901234567890,"c":-0}`},
		{"inner bytes as they are", []string{"a"}, "{ \"a\" :\t[ 1 ,\n{\"b\" : \"\\u00e9\" } ] }", "{\"a\":[ 1 ,\n{\"b\" : \"\\u00e9\" } ]}"},
		{"last of several", []string{"a"}, `{"a":1,"a":2}`, `{"a":2}`},
		{"last of several has none", []string{"a.b"}, `{"a":{"b":1},"a":{"c":2}}`, `{}`},
		{"last of several is no object", []string{"a.b"}, `{"a":{"b":1},"a":5}`, `{}`},
		{"escaped dot", []string{`a\.b`}, `{"a.b":1,"a":{"b":2}}`, `{"a.b":1}`},
		{"escaped backslash", []string{`a\\.b`}, `{"a\\":{"b":1}}`, `{"a\\":{"b":1}}`},
		{"name escaped in the payload", []string{"name"}, `{"n\u0061me":1}`, `{"name":1}`},
		{"quote in a name", []string{`"`}, `{"\"":1}`, `{"\"":1}`},
		{"line end in a name", []string{"a\nb"}, `{"a\nb":1}`, `{"a\u000ab":1}`},
		{"other letters", []string{"é"}, `{"\u00e9":1}`, `{"é":1}`},
		{"case counts", []string{"a"}, `{"A":1}`, `{}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := table(t, match.Definition{Fields: tc.fields}).Expand(decode(t, "db.user.update", nil, tc.data))
			if d.Kind != match.Copy || string(d.Data) != tc.want {
				t.Errorf("got %s, %v; want %s", d.Data, d.Err, tc.want)
			}
		})
	}
}

// Through an array a path keeps its elements' members.
func TestProjectArrays(t *testing.T) {
	deep := strings.Repeat("[", 9000)
	for _, tc := range []struct {
		name   string
		fields []string
		data   string
		want   string
	}{
		{"one element", []string{"items.sku"}, `{"items":[{"sku":1,"q":2}]}`, `{"items":[{"sku":1}]}`},
		{"several, spaced", []string{"items.sku"}, `{"items" : [ {"q":2, "sku":1} , {"sku":3} ] }`, `{"items":[{"sku":1},{"sku":3}]}`},
		{"arrays in arrays", []string{"m.x"}, `{"m":[[{"x":1,"y":2}],[{"x":3},{"x":4}]]}`, `{"m":[[{"x":1}],[{"x":3},{"x":4}]]}`},
		{"an array in an element", []string{"a.b.c"}, `{"a":[{"b":[{"c":1,"d":2}],"e":3}]}`, `{"a":[{"b":[{"c":1}]}]}`},
		{"an object in an element", []string{"a.b.c"}, `{"a":[{"b":{"c":1,"d":2}}]}`, `{"a":[{"b":{"c":1}}]}`},
		{"several fields", []string{"a.y", "a.x"}, `{"a":[{"x":1},{"y":2},{"x":3,"y":4}]}`, `{"a":[{"x":1},{"y":2},{"y":4,"x":3}]}`},
		{"elements that are no objects", []string{"a.x"}, `{"a":[1,"x",null,{"x":1},true,"]",-1e5,"\\\"[{"]}`, `{"a":[{"x":1}]}`},
		{"elements without the member", []string{"a.x"}, `{"a":[{"y":1},{"x":1},{},{"x":null}]}`, `{"a":[{"x":1},{"x":null}]}`},
		{"no element with it", []string{"id", "a.x"}, `{"id":1,"a":[{"y":1},5,[]]}`, `{"id":1}`},
		{"empty", []string{"id", "a.x"}, `{"id":1,"a":[]}`, `{"id":1}`},
		{"empty arrays in arrays", []string{"a.x"}, `{"a":[[],[[],[5]],[{"x":1}],[[]]]}`, `{"a":[[{"x":1}]]}`},
		{"nothing in an element's array", []string{"a.b.c"}, `{"a":[{"b":[{"d":1}]},{"b":[{"c":2}]}]}`, `{"a":[{"b":[{"c":2}]}]}`},
		{"whole array", []string{"a"}, `{"a":[ 1, {"x":2} ]}`, `{"a":[ 1, {"x":2} ]}`},
		{"whole array in an element", []string{"a.b"}, `{"a":[{"b":[1, []],"c":2}]}`, `{"a":[{"b":[1, []]}]}`},
		{"empty array is a value", []string{"a.b"}, `{"a":[{"b":[]}]}`, `{"a":[{"b":[]}]}`},
		{"last of several members", []string{"a.x"}, `{"a":[{"x":1,"x":2}],"b":0,"a":[{"x":3,"x":4}]}`, `{"a":[{"x":4}]}`},
		{"last of several is a scalar", []string{"a.x"}, `{"a":[{"x":1}],"a":5}`, `{}`},
		{"numbers as they are", []string{"a.n"}, `{"a":[{"n":1.0e+03},{"n":123456789012345678901234567890},{"n":-0}]}`, `{"a":[{"n":1.0e+03},{"n":123456789012345678901234567890},{"n":-0}]}`},
		{"brackets in texts", []string{"a.s"}, `{"a":[{"t":"}]","s":"[{\""},{"s":"]"}]}`, `{"a":[{"s":"[{\""},{"s":"]"}]}`},
		{"names are no indexes", []string{"a.0.x"}, `{"a":[{"x":1},{"0":{"x":2}}]}`, `{"a":[{"0":{"x":2}}]}`},
		{"nested as deep as JSON may", []string{"a.x"}, `{"a":` + deep + `{"x":1,"y":2}` + strings.Repeat("]", 9000) + `}`, `{"a":` + deep + `{"x":1}` + strings.Repeat("]", 9000) + `}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := table(t, match.Definition{Fields: tc.fields}).Expand(decode(t, "db.user.update", nil, tc.data))
			if d.Kind != match.Copy || string(d.Data) != tc.want {
				t.Errorf("got %.200s, %v; want %.200s", d.Data, d.Err, tc.want)
			}
		})
	}
}

func TestProjectManyFields(t *testing.T) {
	var fields, members []string
	for i := range match.MaxFields {
		fields = append(fields, fmt.Sprintf("f%d", i))
		members = append(members, fmt.Sprintf(`"f%d":%d`, i, i))
	}
	data := "{" + strings.Join(members, ",") + "}"
	d := table(t, match.Definition{Fields: fields}).Expand(decode(t, "db.user.update", nil, strings.Replace(data, "{", `{"x":{"f1":0},`, 1)))
	if string(d.Data) != data {
		t.Errorf("got %s", d.Data)
	}
}

func TestFieldsRefused(t *testing.T) {
	deep := strings.TrimSuffix(strings.Repeat("a.", match.MaxFieldDepth+1), ".")
	for _, tc := range []struct {
		name   string
		fields []string
		at     string
		tells  string
	}{
		{"empty", []string{"id", ""}, "fields[1]", "is empty"},
		{"empty first name", []string{".a"}, "fields[0]", "empty name at byte 0"},
		{"empty name", []string{"a..b"}, "fields[0]", "empty name at byte 2"},
		{"empty last name", []string{"a."}, "fields[0]", "empty name at byte 2"},
		{"twice", []string{"a", "b", "a"}, "fields[2]", "overlaps"},
		{"twice, escaped", []string{"a.b", `a.b`}, "fields[1]", "overlaps"},
		{"below another", []string{"a", "a.b"}, "fields[1]", "overlaps"},
		{"above another", []string{"a.b.c", "a.b"}, "fields[1]", "overlaps"},
		{"bad escape", []string{`a\b`}, "fields[0]", "backslash"},
		{"escape at the end", []string{`a\`}, "fields[0]", "backslash"},
		{"bad UTF-8", []string{"a\xff"}, "fields[0]", "UTF-8"},
		{"too deep", []string{deep}, "fields[0]", "at most 16"},
		{"too long", []string{strings.Repeat("a", match.MaxFieldPath+1)}, "fields[0]", "at most 1024"},
		{"too many", make([]string, match.MaxFields+1), "fields", "at most 256"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := refusal(t, match.Definition{Fields: tc.fields})
			if err.Code != contract.CodeInvalidValue || err.Field != tc.at || !strings.Contains(err.Message, tc.tells) {
				t.Errorf("refused with %v, want %s to tell %q", err, tc.at, tc.tells)
			}
		})
	}
}
