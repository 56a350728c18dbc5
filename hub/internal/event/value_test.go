package event_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
)

// plain turns a value's objects into maps, for comparison.
func plain(v any) any {
	switch v := v.(type) {
	case *event.Object:
		out := map[string]any{}
		for name, member := range v.Members() {
			out[name] = plain(member)
		}
		return out
	case []any:
		out := []any{}
		for _, element := range v {
			out = append(out, plain(element))
		}
		return out
	default:
		return v
	}
}

func TestValue(t *testing.T) {
	for data, want := range map[string]any{
		`null`: nil, ` true `: true, `"a"`: "a", `0`: int64(0), `-0`: int64(0), `1.0`: 1.0, `1e3`: 1000.0,
		`9007199254740993`: int64(9007199254740993), `9223372036854775807`: int64(math.MaxInt64),
		`-9223372036854775808`: int64(math.MinInt64), `9223372036854775808`: 9223372036854775808.0,
		`1e999999`: math.Inf(1), `-1e999999`: math.Inf(-1), `1e-999999`: 0.0,
		`{"b":[1,{"c":2.5}],"a":{},"a":"last"}`: map[string]any{"b": []any{int64(1), map[string]any{"c": 2.5}}, "a": "last"},
	} {
		v, err := decode(t, nil, data).Value()
		if err != nil {
			t.Errorf("%s: %v", data, err)
		}
		if diff := cmp.Diff(want, plain(v)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", data, diff)
		}
	}
	for _, data := range []string{"", " ", "x", "{", `{"a":1}}`, `1 2`, `{} x`, strings.Repeat("[", 100000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001)} {
		if v, err := decode(t, nil, data).Value(); err == nil {
			t.Errorf("%.20q passes for %v", data, v)
		}
	}
}

func TestValueNestedToTheLimit(t *testing.T) {
	if _, err := decode(t, nil, strings.Repeat("[", 10000)+strings.Repeat("]", 10000)).Value(); err != nil {
		t.Error(err)
	}
}

func TestObjectNamesAreInOrder(t *testing.T) {
	v, err := decode(t, nil, `{"b":1,"a":2,"c":3,"B":4,"é":5}`).Value()
	if err != nil {
		t.Fatal(err)
	}
	if got := v.(*event.Object).Names(); !slices.Equal(got, []string{"B", "a", "b", "c", "é"}) {
		t.Errorf("names %v", got)
	}
}

// Lanes share events: whatever is made late must be safe to ask for at once.
func TestEventIsSafeForConcurrentUse(t *testing.T) {
	e := decode(t, map[string][]string{"X": {"x"}}, `{"id":7,"o":{"b":1,"a":2}}`)
	var wg sync.WaitGroup
	results := make([]string, 8)
	for i := range results {
		wg.Go(func() {
			v, err := e.Value()
			o := v.(*event.Object)
			_ = e.CopyHeader().With("Mine", []string{strconv.Itoa(i)}, func(h map[string][]string) error {
				results[i] = fmt.Sprint(o.Names(), o.Members()["o"].(*event.Object).Names(), err, len(h), h["Mine"][0] == strconv.Itoa(i), e.Headers().Names())
				return nil
			})
		})
	}
	wg.Wait()
	for _, r := range results {
		if want := "[id o] [a b] <nil> 5 true [X]"; r != want {
			t.Errorf("got %q, want %q", r, want)
		}
	}
}
