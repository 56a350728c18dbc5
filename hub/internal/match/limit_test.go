package match_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

var everyOp = subjects.NewOpSet(subjects.Ops()...)

// TestLimit holds what a service gets of what it asks for and its policy allows.
func TestLimit(t *testing.T) {
	const person = `{"id":"1","name":"a","address":{"city":"X","street":"Y"},"tags":[{"k":1,"v":2}],"salary":9,"country":"DE"}`
	for _, tc := range []struct {
		name    string
		asked   match.Definition
		limit   match.Limit
		subject string
		data    string
		want    string // the payload, or the verdict of a skip, or the reason of a dead letter
	}{
		{"all", match.Definition{}, match.Limit{}, "update", person, person},
		{"asked narrower", match.Definition{Fields: []string{"id"}}, match.Limit{Fields: []string{"id", "name"}}, "update", person, `{"id":"1"}`},
		{"allowed narrower", match.Definition{Fields: []string{"id", "address"}}, match.Limit{Fields: []string{"address.city"}}, "update", person, `{"address":{"city":"X"}}`},
		{"nothing asked by name", match.Definition{}, match.Limit{Fields: []string{"name", "tags.k"}}, "update", person, `{"name":"a","tags":[{"k":1}]}`},
		{"nothing in common", match.Definition{Fields: []string{"salary"}}, match.Limit{Fields: []string{"id"}}, "update", person, contract.VerdictNotAllowed},
		{"nothing in common, and a delete", match.Definition{Fields: []string{"salary"}}, match.Limit{Fields: []string{"id"}}, "delete", person, ``},
		{"nothing in common, and a delete that is no JSON", match.Definition{Fields: []string{"salary"}}, match.Limit{Fields: []string{"id"}}, "delete", `secret`, ``},
		{"case counts", match.Definition{Fields: []string{"Salary", "salarY"}}, match.Limit{Fields: []string{"salary"}}, "update", person, contract.VerdictNotAllowed},
		{"dots in names", match.Definition{Fields: []string{`a\.b`, "a"}}, match.Limit{Fields: []string{"a.b"}}, "update", `{"a.b":1,"a":{"b":2,"c":3}}`, `{"a":{"b":2}}`},
		{"names of the same look", match.Definition{Fields: []string{"e\u0301"}}, match.Limit{Fields: []string{"\u00e9"}}, "update", `{"e\u0301":1,"é":2}`, contract.VerdictNotAllowed},
		{"escaped in the payload", match.Definition{}, match.Limit{Fields: []string{"id"}}, "update", `{"\u0069d":1,"s\u0061lary":2}`, `{"id":1}`},
		{"written twice", match.Definition{}, match.Limit{Fields: []string{"a.b"}}, "update", `{"a":{"c":1,"b":1},"a":{"b":2,"c":2}}`, `{"a":{"b":2}}`},
		{"op", match.Definition{}, match.Limit{Ops: subjects.NewOpSet(subjects.Create)}, "update", person, contract.VerdictNotAllowed},
		{"op not asked for", match.Definition{}, match.Limit{Ops: everyOp}, "read", person, contract.VerdictOp},
		{"filter of the owner", match.Definition{}, match.Limit{Filter: "data.country == 'DE'", Fields: []string{"id"}}, "update", person, `{"id":"1"}`},
		{"filtered by the owner", match.Definition{}, match.Limit{Filter: "data.country == 'FR'"}, "update", person, contract.VerdictNotAllowed},
		{"fails for the owner", match.Definition{}, match.Limit{Filter: "data.region == 1"}, "update", person, contract.VerdictNotAllowed},
		{"no object, for the owner", match.Definition{}, match.Limit{Filter: "true"}, "update", `[1]`, contract.VerdictNotAllowed},
		{"no object, for fields", match.Definition{}, match.Limit{Fields: []string{"id"}}, "update", `[1]`, contract.ReasonNotObject},
		{"both filters", match.Definition{Filter: "data.id == '2'"}, match.Limit{Filter: "data.country == 'DE'", Fields: []string{"id"}}, "update", person, contract.VerdictFiltered},
		{"a filter that names a hidden member", match.Definition{Filter: "data.salary > 5"}, match.Limit{Fields: []string{"id"}}, "update", person, contract.VerdictNotAllowed},
		{"under a guard", match.Definition{Filter: "!has(data.salary) || data.salary > 5"}, match.Limit{Fields: []string{"id"}}, "update", person, contract.VerdictNotAllowed},
		{"of a backfill", match.Definition{Only: "data['salary'] > 5"}, match.Limit{Fields: []string{"id"}}, "create", person, contract.VerdictNotAllowed},
		{"in a macro", match.Definition{Filter: "data.tags.exists(t, data.salary > 5)"}, match.Limit{Fields: []string{"tags.k"}}, "update", person, contract.VerdictNotAllowed},
		{"by a computed name", match.Definition{Filter: "'sal' + 'ary' in data"}, match.Limit{Fields: []string{"id"}}, "update", person, contract.VerdictFiltered},
		{"of the whole object", match.Definition{Filter: "size(data) == 1"}, match.Limit{Fields: []string{"id"}}, "update", person, `{"id":"1"}`},
		{"of an element", match.Definition{Filter: "data.tags.exists(t, has(t.v))"}, match.Limit{Fields: []string{"tags.k"}}, "update", person, contract.VerdictFiltered},
		{"above what is allowed", match.Definition{Filter: "has(data.address.city) && size(data.address) == 1"}, match.Limit{Fields: []string{"address.city"}}, "update", person, `{"address":{"city":"X"}}`},
		{"delete", match.Definition{}, match.Limit{Fields: []string{"id"}, Filter: "data.country == 'DE'"}, "delete", person, `{"id":"1"}`},
		{"delete of another's", match.Definition{}, match.Limit{Fields: []string{"id"}, Filter: "data.country == 'FR'"}, "delete", person, ``},
		{"delete without payload", match.Definition{}, match.Limit{Filter: "data.country == 'FR'"}, "delete", ``, ``},
		{"delete that cannot be judged", match.Definition{}, match.Limit{Filter: "data.country == 'FR'"}, "delete", `secret`, ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.limit.Ops == 0 {
				tc.limit.Ops = everyOp
			}
			tc.asked.Limit = &tc.limit
			d := table(t, tc.asked).Expand(decode(t, "db.user."+tc.subject, nil, tc.data))
			got := d.Why
			if d.Kind == match.Copy {
				got = string(d.Data)
			}
			// By a filter that it does not pass, a delete loses the publisher's headers too.
			if d.Bare != (tc.want == "" && tc.limit.Filter != "") {
				t.Errorf("bare: %v", d.Bare)
			}
			if got != tc.want {
				t.Errorf("got %s (%v), want %s", got, d.Err, tc.want)
			}
		})
	}
	if d := table(t, match.Definition{Limit: &match.Limit{}}).Expand(decode(t, "db.user.create", nil, person)); d.Kind != match.Skip {
		t.Errorf("the zero limit: %+v", d)
	}
}

// TestOutside holds which part of a definition is refused.
func TestOutside(t *testing.T) {
	limit := match.Limit{Ops: subjects.NewOpSet(subjects.Create, subjects.Delete), Fields: []string{"id", "address.city"}}
	for _, tc := range []struct {
		def         match.Definition
		ops         []subjects.Op
		field, text string
	}{
		{match.Definition{}, nil, "", ""},
		{match.Definition{Fields: []string{"address.city", "id"}}, []subjects.Op{subjects.Delete}, "", ""},
		{match.Definition{Fields: []string{"id", "address"}}, nil, "fields[1]", "address"},
		{match.Definition{Fields: []string{"id.x", "Id"}}, nil, "fields[1]", "Id"},
		{match.Definition{}, []subjects.Op{subjects.Create, subjects.Update}, "ops[1]", "update"},
		{match.Definition{Filter: "data.address.city == 'X' && data.name == 'a'"}, nil, "filter", "data.name"},
		{match.Definition{Only: `data["address"]["street"] == 'Y'`}, nil, "filter", "data.address.street"},
		{match.Definition{Filter: "data.id[0] == 1 && size(data.address) > 0 && key == 'x'"}, nil, "", ""},
	} {
		if field, text := match.Outside(tc.def, tc.ops, limit); field != tc.field || text != tc.text {
			t.Errorf("%+v %v: %s %s, want %s %s", tc.def, tc.ops, field, text, tc.field, tc.text)
		}
	}
	if field, text := match.Outside(match.Definition{Fields: []string{"x"}, Filter: "data.y"}, subjects.Ops(), match.Limit{Ops: everyOp}); field != "" {
		t.Errorf("%s %s where all is allowed", field, text)
	}
}

// FuzzLimit holds two properties for any fields, asked and allowed. The copy is what the
// asked fields keep of what the allowed fields keep. What a service gets depends on what
// it may see alone: the same event without the hidden members gives the same copy.
func FuzzLimit(f *testing.F) {
	f.Add("id,address", "address.city,name", uint8(0), []byte(`{"id":1,"address":[{"city":1,"zip":2}],"name":"x"}`))
	f.Add("", `a\.b,a.b`, uint8(1), []byte(`{"a.b":1,"a":{"b":2,"c":3},"tenant":"acme"}`))
	f.Add("tenant", "n,tags", uint8(2), []byte(`{"n":11,"tags":["x"],"tenant":"acme"}`))
	f.Add("a.b.c", "a.b.c.d,a.b.x", uint8(3), []byte(`{"a":{"b":{"c":{"d":1,"e":2},"x":3}}}`))
	f.Fuzz(func(t *testing.T, asked, allowed string, filter uint8, payload []byte) {
		ask, allow := pathsOf(asked), pathsOf(allowed)
		user := name(t, "user")
		whole := match.Definition{Entity: user, Ops: everyOp, Filter: predicates[int(filter)%len(predicates)].filter, Fields: ask}
		limited := whole
		limited.Limit = &match.Limit{Ops: everyOp, Fields: allow}
		one, err := match.Compile(limited)
		if err != nil {
			return // no fields
		}
		e := decode(t, "db.user.update", nil, string(payload))
		expand := func(def match.Definition, data []byte) match.Decision {
			return table(t, def).Expand(e.WithData(data))
		}
		got := match.New(name(t, "sharing"), 0, []*match.Interest{one}).Expand(e)
		seen := payload
		if len(allow) > 0 {
			view := expand(match.Definition{Entity: user, Ops: everyOp, Fields: allow}, payload)
			if view.Kind != match.Copy {
				if got.Kind == match.Copy {
					t.Fatalf("%q gives %q, and has no view", payload, got.Data)
				}
				return
			}
			seen = view.Data
		}
		if again := expand(limited, seen); outcomeOf(got) != outcomeOf(again) {
			t.Errorf("%q gives %+v, and what may be seen of it, %q, %+v", payload, outcomeOf(got), seen, outcomeOf(again))
		}
		if one.Blind() != "" {
			if got.Kind != match.Skip {
				t.Errorf("a filter names %s, and %q gives %+v", one.Blind(), payload, outcomeOf(got))
			}
			return
		}
		if match.Apart(whole, *limited.Limit) {
			if got.Kind != match.Skip {
				t.Errorf("asked %q, allowed %q, %q gives %+v", ask, allow, payload, outcomeOf(got))
			}
			return
		}
		want := expand(whole, seen)
		if got.Kind != want.Kind || got.Why != want.Why {
			t.Fatalf("%q: %+v, want %+v", payload, outcomeOf(got), outcomeOf(want))
		}
		if got.Kind != match.Copy || len(ask)+len(allow) == 0 {
			return
		}
		a, errA := decodeNaively(got.Data)
		b, errB := decodeNaively(want.Data)
		if diff := cmp.Diff(b, a); diff != "" || errA != nil || errB != nil {
			t.Errorf("asked %q, allowed %q, %q: (-want +got)\n%s%v %v", ask, allow, payload, diff, errA, errB)
		}
	})
}

func pathsOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
