package match_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// predicates are filters with the same decision written in Go, over a payload
// as encoding/json decodes it with numbers as text.
var predicates = []struct {
	filter string
	pass   func(data any) (bool, error)
}{
	{"", nil},
	{"data.tenant == 'acme'", func(data any) (bool, error) {
		tenant, err := member(data, "tenant")
		return tenant == "acme", err
	}},
	{"has(data.n) && data.n > 10", func(data any) (bool, error) {
		object, ok := data.(map[string]any)
		if !ok {
			return false, nil // what is no object has no members
		}
		n, found := object["n"]
		if !found {
			return false, nil
		}
		text, ok := n.(json.Number)
		if !ok {
			return false, errors.New("not a number")
		}
		return aboveTen(text), nil
	}},
	{"data.tags.exists(t, t == 'x')", func(data any) (bool, error) {
		tags, err := member(data, "tags")
		if err != nil {
			return false, err
		}
		switch tags := tags.(type) {
		case []any:
			for _, tag := range tags {
				if tag == "x" {
					return true, nil
				}
			}
			return false, nil
		case map[string]any:
			_, found := tags["x"]
			return found, nil
		default:
			return false, errors.New("not iterable")
		}
	}},
	{"data.on", func(data any) (bool, error) {
		on, err := member(data, "on")
		if err != nil {
			return false, err
		}
		if b, ok := on.(bool); ok {
			return b, nil
		}
		return false, errors.New("not a bool")
	}},
}

func member(data any, name string) (any, error) {
	object, ok := data.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	v, ok := object[name]
	if !ok {
		return nil, errors.New("missing")
	}
	return v, nil
}

// aboveTen compares exactly, and by the exponent alone what is too large to
// write out.
func aboveTen(n json.Number) bool {
	s := string(n)
	if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 6 {
		return s[0] != '-' && s[i+1] != '-' && strings.ContainsAny(s[:i], "123456789")
	}
	r, ok := new(big.Rat).SetString(s)
	return ok && r.Cmp(big.NewRat(10, 1)) > 0
}

// projections are fields, one set of each shape.
var projections = [][]string{
	nil,
	{"id"},
	{"id", "address.city", `a\.b`},
	{"address.geo.lat", "address.city", "tags", "missing.x"},
}

// naiveDecision decides once more, the simple way.
type naiveDecision struct {
	Kind         match.Kind
	Why, Subject string
	Data         any
}

func decideNaively(def match.Definition, pass func(any) (bool, error), partitions int, e *event.Event) naiveDecision {
	parts := strings.Split(e.Subject.String(), ".")
	entity, op := parts[1], parts[2]
	pos, since := e.Pos, def.Since
	data, jsonErr := decodeNaively(e.Data)
	switch {
	case entity != def.Entity.String():
		return naiveDecision{Why: contract.VerdictNoInterest}
	case pos.Epoch < since.Epoch || pos.Epoch == since.Epoch && pos.Seq < since.Seq:
		return naiveDecision{Why: contract.VerdictBefore}
	case !strings.Contains(def.Ops.String(), op):
		return naiveDecision{Why: contract.VerdictOp}
	case e.Origin == "sharing" && !def.Echo:
		return naiveDecision{Why: contract.VerdictOwn}
	}
	if pass != nil && op != "delete" {
		if jsonErr != nil {
			return naiveDecision{Kind: match.Dead, Why: contract.ReasonNotJSON}
		}
		if _, object := data.(map[string]any); !object {
			return naiveDecision{Kind: match.Dead, Why: contract.ReasonNotObject}
		}
		ok, err := pass(data)
		if err != nil {
			return naiveDecision{Kind: match.Dead, Why: contract.ReasonFilter}
		}
		if !ok {
			return naiveDecision{Why: contract.VerdictFiltered}
		}
	}
	subject := subjects.NewCopy(mustName("sharing"), def.Entity, e.Subject.Op(), subjects.Partition(e.Key, partitions)).String()
	d := naiveDecision{Kind: match.Copy, Subject: subject, Data: string(e.Data)}
	if len(def.Fields) > 0 && (op != "delete" || len(e.Data) > 0) {
		if jsonErr != nil {
			return naiveDecision{Kind: match.Dead, Why: contract.ReasonNotJSON}
		}
		object, ok := data.(map[string]any)
		if !ok {
			return naiveDecision{Kind: match.Dead, Why: contract.ReasonNotObject}
		}
		d.Data = projectNaively(fieldTree(def.Fields), object)
	}
	return d
}

func mustName(s string) subjects.Name {
	n, err := subjects.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func decodeNaively(data []byte) (v any, err error) {
	if !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// fieldTree is fields as a tree of names; nil keeps a whole value.
func fieldTree(fields []string) map[string]any {
	root := map[string]any{}
	for _, field := range fields {
		names := strings.Split(strings.ReplaceAll(field, `\.`, "\x00"), ".")
		at := root
		for i, name := range names {
			name = strings.ReplaceAll(name, "\x00", ".")
			if i == len(names)-1 {
				at[name] = nil
				continue
			}
			below, ok := at[name].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[name] = below
			}
			at = below
		}
	}
	return root
}

func projectNaively(tree, object map[string]any) map[string]any {
	out := map[string]any{}
	for name, below := range tree {
		value, there := object[name]
		if !there {
			continue
		}
		if below != nil {
			value, there = keepNaively(below.(map[string]any), value)
		}
		if there {
			out[name] = value
		}
	}
	return out
}

// keepNaively is what a tree keeps of a value, and whether that is anything.
func keepNaively(tree map[string]any, value any) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		kept := projectNaively(tree, value)
		return kept, len(kept) > 0
	case []any:
		var kept []any
		for _, element := range value {
			if v, ok := keepNaively(tree, element); ok {
				kept = append(kept, v)
			}
		}
		return kept, len(kept) > 0
	default:
		return nil, false
	}
}

// FuzzExpand holds Expand against the simple decision.
func FuzzExpand(f *testing.F) {
	f.Add(uint8(1), uint8(2), "db.user.update", uint64(42), "profile", []byte(`{"id":"7","tenant":"acme"}`))
	f.Add(uint8(0), uint8(3), "db.user.update", uint64(42), "", []byte(`{"address":[{"city":"x","zip":1},[{"geo":[{"lat":1}]}],5,{}],"tags":[]}`))
	f.Add(uint8(0), uint8(2), "db.user.update", uint64(42), "", []byte(`[{"id":1}]`))
	f.Fuzz(func(t *testing.T, filter, shape uint8, subject string, seq uint64, origin string, payload []byte) {
		e, err := event.Decode(event.Position{Epoch: 2, Seq: seq}, stored, subject, map[string][]string{"Replhub-Origin": {origin}}, payload)
		if err != nil {
			return // not an event
		}
		predicate := predicates[int(filter)%len(predicates)]
		def := match.Definition{
			Entity: name(t, "user"), Ops: subjects.DefaultOps, Filter: predicate.filter,
			Fields: projections[int(shape)%len(projections)], Echo: shape >= 128, Since: event.Position{Epoch: 2, Seq: 10},
		}
		partitions := int(shape/4) % 4
		d := match.New(name(t, "sharing"), partitions, []*match.Interest{compile(t, def)}).Expand(e)

		want := decideNaively(def, predicate.pass, partitions, e)
		got := naiveDecision{Kind: d.Kind, Why: d.Why, Subject: d.Subject}
		if d.Kind == match.Copy {
			got.Data = string(d.Data)
			if _, projected := want.Data.(map[string]any); projected {
				if got.Data, err = decodeNaively(d.Data); err != nil {
					t.Fatalf("%q was projected to %q: %v", payload, d.Data, err)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %q: (-naive +got)\n%s%v", subject, payload, diff, d.Err)
		}
	})
}

// FuzzFilter compiles any filter and puts it to an event: refused, passed,
// skipped or dead, with one line that says why, and the same twice.
func FuzzFilter(f *testing.F) {
	f.Add("data.tenant == 'acme'")
	f.Fuzz(func(t *testing.T, filter string) {
		def := match.Definition{Entity: name(t, "user"), Ops: subjects.DefaultOps, Filter: filter}
		i, err := match.Compile(def)
		if err != nil {
			wireErr, ok := errors.AsType[*contract.Error](err)
			if !ok || wireErr.Code != contract.CodeInvalidFilter || strings.ContainsAny(wireErr.Message, "\r\n") {
				t.Errorf("%q is refused with %v", filter, err)
			}
			return
		}
		tb := match.New(name(t, "sharing"), 0, []*match.Interest{i})
		for _, read := range i.Unguarded() {
			if read.Name == "" || read.Guard == "" {
				t.Errorf("%q: %+v", filter, read)
			}
		}
		one := tb.Expand(decode(t, "db.user.update", nil, order))
		if one.Err != nil && strings.Contains(one.Err.Error(), "no such key") && len(i.Unguarded()) == 0 {
			t.Errorf("%q: %v, and no read is told as unguarded", filter, one.Err)
		}
		two := tb.Expand(decode(t, "db.user.update", nil, order))
		if outcomeOf(one) != outcomeOf(two) {
			t.Errorf("%q decides %+v, then %+v", filter, outcomeOf(one), outcomeOf(two))
		}
		if one.Err != nil && strings.ContainsAny(one.Err.Error(), "\r\n") {
			t.Errorf("%q: error of several lines: %q", filter, one.Err)
		}
	})
}

// FuzzFields compiles any field and checks that what it keeps is JSON.
func FuzzFields(f *testing.F) {
	f.Add("address.city", []byte(`{"address":{"city":"London"}}`))
	f.Fuzz(func(t *testing.T, field string, payload []byte) {
		i, err := match.Compile(match.Definition{Entity: name(t, "user"), Ops: subjects.DefaultOps, Fields: []string{field}})
		if err != nil {
			if wireErr, ok := errors.AsType[*contract.Error](err); !ok || wireErr.Field != "fields[0]" {
				t.Errorf("%q is refused with %v", field, err)
			}
			return
		}
		d := match.New(name(t, "sharing"), 0, []*match.Interest{i}).Expand(decode(t, "db.user.update", nil, string(payload)))
		object, err := decodeNaively(payload)
		if err == nil {
			_, ok := object.(map[string]any)
			if !ok {
				err = errors.New("not an object")
			}
		}
		if (d.Kind == match.Copy) != (err == nil) || d.Kind == match.Copy && !json.Valid(d.Data) {
			t.Errorf("field %q of %q: kind %d, %q", field, payload, d.Kind, d.Data)
		}
	})
}
