package match_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
)

const order = `{"tenant":"acme","n":9007199254740993,"max":9223372036854775807,"half":0.5,"ten":10.0,"huge":1e999999,
	"items":[{"sku":"a","qty":1},{"sku":"b","qty":20}],"labels":{"z":1,"a":2,"m":3},"at":"2024-05-01T00:00:00Z","none":null,"yes":true,"a.b":1}`

func TestFilterDecides(t *testing.T) {
	header := map[string][]string{"Replhub-Key": {"k7"}, "Replhub-Origin": {"profile"}, "X-Region": {"eu", "us"}}
	for filter, want := range map[string]bool{
		"data.tenant == 'acme'":                                                    true,
		"data.tenant != 'acme'":                                                    false,
		"data.tenant.startsWith('ac') && 'me' in ['me']":                           true,
		"data.tenant.matches('^a.*e$')":                                            true,
		"data.tenant == 1":                                                         false,
		"entity == 'user' && op == 'update' && key == 'k7'":                        true,
		"headers['X-Region'] == 'eu'":                                              true,
		"'Replhub-Key' in headers || 'Replhub-Origin' in headers":                  false,
		"headers.exists(h, h == 'X-Region')":                                       true,
		"time == timestamp('2024-05-06T07:08:09Z') && time.getHours() == 7":        true,
		"timestamp(data.at) < time && time - timestamp(data.at) > duration('24h')": true,
		"data.n == 9007199254740993":                                               true,
		"data.n == 9007199254740992":                                               false,
		"data.n > 9007199254740992":                                                true,
		"data.max == 9223372036854775807":                                          true,
		"data.half == 0.5 && data.half < 1 && data.n > 1.5":                        true,
		"data.ten == 10 && data.ten * 1.5 == 15.0 && type(data.ten) == double":     true,
		"type(data.n) == int":                                                      true,
		"data.huge > 1.7e308":                                                      true,
		"data.none == null":                                                        true,
		"data.yes":                                                                 true,
		"!has(data.missing)":                                                       true,
		"has(data.items) && !has(data.labels.q)":                                   true,
		"data['a.b'] == 1":                                                         true,
		"data.items.exists(i, i.sku == 'b' && i.qty > 10)":                         true,
		"data.items.all(i, i.qty > 10)":                                            false,
		"data.items.exists_one(i, i.qty == 1)":                                     true,
		"data.items.filter(i, i.qty > 10).size() == 1":                             true,
		"data.items.map(i, i.qty) == [1, 20]":                                      true,
		"data.items.exists(i, data.items.exists(j, i.qty > j.qty))":                true,
		"data.labels.map(k, k) == ['a', 'm', 'z']":                                 true,
		"data.labels.map(k, data.labels[k])[0] == 2":                               true,
		"data.labels == {'a': 2, 'm': 3, 'z': 1}":                                  true,
		"{'acme': true}[data.tenant]":                                              true,
		"[data.tenant, 'x'].exists(t, t == 'acme')":                                true,
		"data.tenant == 'x' || data.missing == 1 || true":                          true,
		"data.labels.exists(k, data.labels[k] == 3) ? data.yes : false":            true,
		"size(data) == 12 && size(data.tenant) == 4":                               true,
		"dyn(data.n) > 1u && string(data.n) == '9007199254740993'":                 true,
		"data.items[1].sku == 'b' && data.items[0]['qty'] == 1":                    true,
		strings.Repeat("(", 40) + "data.yes" + strings.Repeat(")", 40):             true,
		"data.yes" + strings.Repeat(" && data.yes", 200):                           true,
	} {
		t.Run(filter[:min(len(filter), 60)], func(t *testing.T) {
			d := table(t, match.Definition{Filter: filter}).Expand(decode(t, "db.user.update", header, order))
			wantKind := match.Copy
			if !want {
				wantKind = match.Skip
			}
			if d.Kind != wantKind {
				t.Errorf("%s: kind %d, %s, %v", filter, d.Kind, d.Why, d.Err)
			}
		})
	}
}

func TestFilterFails(t *testing.T) {
	for filter, tells := range map[string]string{
		"data.missing == 1":               "no such key: missing; guard a member that may be missing, as in has(data.missing)",
		"data['a b'] == 1":                "no such key: a b; guard a member that may be missing with has()",
		"data.items[7].sku == 'a'":        "index out of bounds: 7",
		"data.tenant > 1":                 "no such overload",
		"data.tenant":                     "gave string, not true or false",
		"data.none":                       "gave null_type, not true or false",
		"data.n / 0 == 1":                 "division by zero",
		"data.max + 1 == 0":               "integer overflow",
		"int(data.tenant) == 1":           "type conversion error",
		"int(data.huge) == 1":             "integer overflow",
		"timestamp(data.tenant) < time":   "acme",
		"data.tenant.exists(c, c == 'a')": "",
		"headers['nope'] == ''":           "no such key: nope",
		"data[data.inject] == 1":          "no such key: a  Nats-TTL: 1s",
	} {
		t.Run(filter, func(t *testing.T) {
			data := strings.Replace(order, "{", `{"inject":"a\r\nNats-TTL: 1s",`, 1)
			d := table(t, match.Definition{Filter: filter}).Expand(decode(t, "db.user.update", nil, data))
			if d.Kind != match.Dead || d.Why != contract.ReasonFilter {
				t.Fatalf("kind %d, %s", d.Kind, d.Why)
			}
			if !strings.Contains(d.Err.Error(), tells) {
				t.Errorf("error %q does not tell %q", d.Err, tells)
			}
			if strings.ContainsAny(d.Err.Error(), "\r\n\x00") || len(d.Err.Error()) > 500 {
				t.Errorf("error is no short line: %q", d.Err)
			}
		})
	}
}

func TestFilterRefused(t *testing.T) {
	for _, tc := range []struct{ name, filter, tells string }{
		{"syntax", "data.x ==", "line 1, column 10"},
		{"unknown variable", "date.x == 1", "'date' is not known; a filter has data"},
		{"unknown function", "key.charAt(0) == 'a'", "'charAt' is not known"},
		{"not a bool", "size(key)", "yields int, not a bool"},
		{"a bool as text", "'true'", "yields string, not a bool"},
		{"types", "key == 1", `"==" does not take (string, int)`},
		{"one equals sign", "data.x = 1", `line 1, column 8: "=" is no operator; write "=="`},
		{"an open parenthesis", "(data.x == 1", "')' is missing at the end"},
		{"an open text", "data.x == 'a", "has no end"},
		{"two filters", "data.x == 1 data.y", `"data" cannot stand here`},
		{"empty", " ", "the filter ends here, and a value is missing"},
		{"in of a text", "1 in key", `"in" does not take (int, string)`},
		{"too long", "true" + strings.Repeat(" ", match.MaxFilter), "at most 4096"},
		{"too deep", strings.Repeat("(", 1000) + "true" + strings.Repeat(")", 1000), "recursion limit"},
		{"too deep a list", strings.Repeat("[", 4000), "recursion limit"},
		{"too expensive", "data.a.exists(i, data.a.exists(j, data.a.exists(k, i == j && j == k)))", "too expensive"},
		{"bad pattern", "key.matches('(')", "error parsing regexp"},
		{"pattern from the event", "key.matches(data.p)", "pattern as a literal"},
		{"huge pattern", "key.matches('(a{1000}){1000}')", ""},
		{"zone", "time.getHours('Europe/Berlin') == 1", "no time zone"},
		{"zone from the event", "timestamp(data.at).getDayOfWeek(data.zone) == 1", "no time zone"},
		{"zone in a macro", "data.a.exists(a, time.getMonth(a) == 1)", "no time zone"},
		{"map in a macro", "data.a.exists(a, {'x': 1}.exists(k, k == a))", "map literal"},
		{"variable in a list", "data.a.exists(a, [a, a].exists(b, b == 1))", "list literal inside a macro"},
		{"variable in a list in map", "data.a.map(a, [a]) == []", "list literal inside a macro"},
		{"outer variable in a list", "data.a.exists(a, data.b.all(b, [[a]] == b))", "list literal inside a macro"},
		{"message", "google.protobuf.Duration{seconds: 1} == duration('1s')", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := refusal(t, match.Definition{Filter: tc.filter})
			if err.Code != contract.CodeInvalidFilter || err.Field != "filter" || !strings.Contains(err.Message, tc.tells) {
				t.Errorf("refused with %v, want it to tell %q", err, tc.tells)
			}
		})
	}
}

// What a filter may cost on an event is bounded, whatever filter and event are:
// each of these would take from seconds to ages. The limit counts steps, so
// that the outcome is the same on every machine.
func TestFilterCostIsBounded(t *testing.T) {
	var members strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&members, `"k%d":1,`, i)
	}
	data := `{"m":{` + members.String() + `"a":1},"s":"` + strings.Repeat("a", 1_000_000) + `","items":[` + strings.Repeat("1,", 100_000) + `1]}`
	e := decode(t, "db.user.update", nil, data)
	times := func(n int, link string) string { return strings.Repeat(link, n) }
	for _, filter := range []string{
		"data.items.exists(i, data.items.exists(j, i + j == 3))",
		"data.items.exists(i, data.items == data.items && i == 2)",
		"data.items.exists(i, 7 in data.items)",
		"data == data" + times(200, " && data == data"),
		"data.items.exists(i, size(data.s) == 3)",
		"data.items.exists(i, bytes(data.s) == b'a')",
		"data.items.exists(i, data.s.matches('^a*b$'))",
		"data.items.exists(i, data.s + data.s == 'b')",
		"data.items.exists(i, data.s < data.s)",
		"data.items.exists(i, bytes(data.s) > bytes(data.s))",
		"data.items.exists(i, data.s.contains('b') || data.s.endsWith('b') && data.s.startsWith(data.s))",
		"data.items.exists(i, !(data.s in [data.s]))",
		"data.items.exists(i, {'a': 1}.size() == 2 || int(data.s) == 1)",
		"data.items.exists(i, has(data.m.x) || 'x' in data.m || data.m['a'] == 2)",
		"data.items.exists(i, (data.items + data.items)[0] == 2)",
		"data.items.map(i, data.items + data.items).size() == 3",
		"data.items.exists(i, data.m.exists(k, i == 2))",
		"data.items.map(i, data) == []",
		"data in [data, data, data, data, data, data, data]",
		"[[1]]" + times(40, ".map(a, a+a)") + ".exists(z, size(z) == 3)",
		"[[1]]" + times(40, ".map(a, dyn(a)+dyn(a))") + ".exists(z, size(z) == 3)",
		"[[1]]" + times(40, ".map(a, [1,2].map(i, a))") + ".exists(z, z == z)",
		"[data.items]" + times(7, ".map(a, [1,2,3,4,5,6,7,8,9].map(i, a))") + ".exists(z, z == z)",
		"[data.s]" + times(12, ".map(a, dyn(a)+dyn(a))") + ".exists(z, size(z) == 3)",
	} {
		t.Run(filter[:min(len(filter), 60)], func(t *testing.T) {
			i, err := match.Compile(match.Definition{Entity: name(t, "user"), Ops: 0xff, Filter: filter})
			if err != nil {
				t.Logf("refused at registration: %v", err)
				return
			}
			d := match.New(name(t, "sharing"), 0, []*match.Interest{i}).Expand(e)
			if d.Kind != match.Dead || !strings.Contains(d.Err.Error(), "steps") {
				t.Errorf("kind %d, %s, %v", d.Kind, d.Why, d.Err)
			}
		})
	}
}

// Go goes over maps in random order; a decision near the cost limit, or one
// that takes the first of a map's names, must be the same each time.
func TestFilterIsDeterministic(t *testing.T) {
	var members []string
	for i := range 9000 {
		members = append(members, fmt.Sprintf(`"k%d":1`, i))
	}
	data := `{"m":{` + strings.Join(members, ",") + `}}`
	for _, filter := range []string{
		"data.m.exists(k, k == 'k8000' || k == 'k3999')",
		"data.m.exists(k, k == 'k7')", "data.m.filter(k, k.endsWith('7'))[0] < 'k5'", // true of half the events
	} {
		tb := table(t, match.Definition{Filter: filter})
		var first outcome
		for i := range 12 {
			got := outcomeOf(tb.Expand(decode(t, "db.user.update", nil, data)))
			got.Data = ""
			if i == 0 {
				first = got
			}
			if got != first {
				t.Fatalf("%s: first %+v, then %+v", filter, first, got)
			}
		}
	}
}

func TestHostilePayloads(t *testing.T) {
	tb := table(t, match.Definition{Filter: "has(data.a) && data.a == 1", Fields: []string{"a"}})
	for payload, want := range map[string]outcome{
		strings.Repeat("[", 100_000):                                          {Kind: match.Dead, Why: contract.ReasonNotJSON},
		strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000):           {Kind: match.Dead, Why: contract.ReasonNotJSON},
		strings.Repeat(`{"a":`, 100_000):                                      {Kind: match.Dead, Why: contract.ReasonNotJSON},
		`{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`: {Kind: match.Skip, Why: contract.VerdictFiltered},
		`{"a":1e999999}`: {Kind: match.Skip, Why: contract.VerdictFiltered},
		`{"a":` + strings.Repeat("9", 100_000) + `}`: {Kind: match.Skip, Why: contract.VerdictFiltered},
		`{"a":1.0}`:      {Kind: match.Copy, Subject: "sub.sharing.user.create.0", Data: `{"a":1.0}`},
		`{"a":2,"a":1}`:  {Kind: match.Copy, Subject: "sub.sharing.user.create.0", Data: `{"a":1}`},
		`{"a":1,"a":2}`:  {Kind: match.Skip, Why: contract.VerdictFiltered},
		`{"a":1}{"a":1}`: {Kind: match.Dead, Why: contract.ReasonNotJSON},
		`null`:           {Kind: match.Dead, Why: contract.ReasonNotObject},
		`[{"a":1}]`:      {Kind: match.Dead, Why: contract.ReasonNotObject},
	} {
		if got := outcomeOf(tb.Expand(decode(t, "db.user.create", nil, payload))); got != want {
			t.Errorf("%.40q: got %+v, want %+v", payload, got, want)
		}
	}
}
