package match_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/match"
)

func TestUnguarded(t *testing.T) {
	for filter, want := range map[string]string{
		// Nothing that can be missing.
		"":                                   "",
		"true":                               "",
		"op == 'create' && entity == 'user'": "",
		"key.startsWith('a') || time.getHours() == 7": "",
		"size(data) > 2": "",
		"[1, 2][0] == 1": "",
		// Reads.
		"data.tenant == 'acme'":                    "data.tenant",
		"data.tenant == 'a' || data.tenant == 'b'": "data.tenant",
		"data['tenant'] == 'acme'":                 "data.tenant",
		"data['a b'] == 1":                         "data['a b']",
		"dyn(data.n) > 1u && dyn(data).m == 1":     "data.n data.m",
		"data.a.b.c == 1":                          "data.a data.a.b data.a.b.c",
		"headers['X'] == 'x' || headers.y == 'y'":  "headers['X'] headers['y']",
		"has(data.a.b)":                            "data.a",
		"size(data.list) == 2":                     "data.list",
		"data.name.startsWith('a')":                "data.name",
		"timestamp(data.at) < time":                "data.at",
		"'x' in data.tags":                         "data.tags",
		"data.yes":                                 "data.yes",
		"!data.yes":                                "data.yes",
		"data.a == null || data.a == 1":            "data.a",
		"data[data.name] == 1":                     "data.name data[data.name]",
		"data.items[0].sku == 'a'":                 "data.items data.items[0] data.items[0].sku",
		"{'acme': true}[data.tenant]":              `data.tenant (…)[data.tenant]`,
		"[1, 2][2] == 1":                           "[1, 2][2]",
		"(has(data.a) ? data.a : data.b).c == 1":   `data.b _?_:_(data.a, data.a, data.b).c`,
		// Guards.
		"has(data.x) && data.x == 1":                                        "",
		"data.x == 1 && has(data.x)":                                        "",
		"has(data.x) && op == 'create' && (data.x == 1 || data.x == 2)":     "",
		"has(data['x']) && data.x == 1":                                     "refused",
		"'x' in data && data.x == 1":                                        "",
		"'x' in headers && headers['x'] == 'y'":                             "",
		"'x' in headers && headers.x == 'y'":                                "",
		"!has(data.x) || data.x == 1":                                       "",
		"!(has(data.x) && data.x == 1)":                                     "",
		"!(!has(data.x) || data.x == 1)":                                    "",
		"!('x' in data) || data.x == 1":                                     "",
		"has(data.x) ? data.x == 1 : false":                                 "",
		"!has(data.x) ? true : data.x == 1":                                 "",
		"(has(data.x) ? data.x : 0) == 1":                                   "",
		"(has(data.x) ? data.x == 1 : false) && data.x < 2":                 "",
		"has(data.a) && has(data.a.b) && data.a.b == 1":                     "",
		"has(data.a) && (has(data.a.b) ? data.a.b : 1) == 1":                "",
		"has(data.x) == true && data.x == 1":                                "",
		"has(data.x) == false || data.x == 1":                               "",
		"has(data.x) != true || data.x == 1":                                "",
		"false && data.x == 1":                                              "",
		"true || data.x == 1":                                               "",
		"dyn(has(data.x)) && data.x == 1":                                   "data.x",
		"has(data.k) && data.k in data && data[data.k] == 1":                "",
		"has(data.list) && size(data.list) > 0 && data.list[0] == 1":        "",
		"has(data.list) && data.list.size() != 0 && data.list[0] == 1":      "",
		"has(data.list) && (data.list == [] || data.list[0] == 1)":          "",
		"has(data.a) && has(data.b) && data.a == data.b":                    "",
		"(has(data.a) && has(data.b)) && (data.a == data.b && data.a == 1)": "",
		"(has(data.a) && data.a == 1) || (has(data.b) && data.b == 1)":      "",
		"(has(data.a) || has(data.b)) && data.a == 1":                       "data.a",
		"(has(data.a) && op == 'x' || has(data.a)) && data.a == 1":          "",
		// Guards that are none.
		"has(data.x) || data.x == 1":                    "data.x",
		"!has(data.x) && data.x == 1":                   "data.x",
		"has(data.y) && data.x == 1":                    "data.x",
		"has(data.x) ? true : data.x == 1":              "data.x",
		"has(data.x) && data.x.y == 1":                  "data.x.y",
		"has(headers.x) && data.x == 1":                 "data.x",
		"op == 'create' ? data.x == 1 : true":           "data.x",
		"has(data.x) && (data.x == 1) == (data.y == 1)": "data.y",
		// Macros.
		"has(data.items) && data.items.exists(i, i.sku == 'a')":                   "i.sku",
		"has(data.items) && data.items.exists(i, has(i.sku) && i.sku == 'a')":     "",
		"has(data.items) && data.items.all(i, !has(i.sku) || i.sku == 'a')":       "",
		"data.items.exists(i, i == data.x)":                                       "data.items data.x",
		"has(data.x) && has(data.items) && data.items.exists(i, i == data.x)":     "",
		"has(data.labels) && data.labels.exists(k, data.labels[k] == 3)":          "",
		"headers.exists(h, headers[h] == 'x')":                                    "",
		"has(data.a) && data.a.exists(data, has(data.x) && data.x == 1)":          "",
		"has(data.a) && has(data.x) && data.a.exists(data, data.x == 1)":          "data.x",
		"has(data.a) && data.a.filter(i, has(i.x)).exists(j, j.x == 1)":           "",
		"has(data.a) && data.a.filter(i, i.y == 1).exists(j, j.x == 1)":           "i.y j.x",
		"has(data.a) && data.a.map(i, has(i.x), i.x).exists(x, x == 1)":           "",
		"has(data.a) && data.a.exists(i, data.a.exists(j, i.x == 1 && has(j.x)))": "i.x",
		"has(data.a) && data.a.exists_one(i, has(i.x) ? i.x == 1 : i.y == 1)":     "i.y",
	} {
		t.Run(filter, func(t *testing.T) {
			i, err := match.Compile(match.Definition{Entity: name(t, "user"), Ops: 0xff, Filter: filter})
			if err != nil {
				if want != "refused" {
					t.Fatal(err)
				}
				return
			}
			var got []string
			for _, read := range i.Unguarded() {
				got = append(got, read.Name)
			}
			if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What a filter of 4 KiB costs to look at is bounded, however it is nested.
func TestUnguardedIsQuick(t *testing.T) {
	for _, filter := range []string{
		"data" + strings.Repeat(".a", 90) + " == 1",
		"has(data.a)" + strings.Repeat(" && has(data.a)", 200) + " && data.b == 1",
		strings.Repeat("(", 45) + "has(data.a)" + strings.Repeat(" ? has(data.b) : has(data.c))", 45) + " && data.a == 1",
		strings.Repeat("!(", 45) + "has(data.a)" + strings.Repeat(" ? has(data.b) : has(data.c))", 45) + " && data.a == 1",
	} {
		began := time.Now()
		i, err := match.Compile(match.Definition{Entity: name(t, "user"), Ops: 0xff, Filter: filter})
		if err != nil {
			t.Errorf("%.40s: %v", filter, err)
			continue
		}
		if took := time.Since(began); took > 2*time.Second || len(i.Unguarded()) == 0 {
			t.Errorf("%.40s: %s, %d reads", filter, took, len(i.Unguarded()))
		}
	}
}

// A filter to which the guards are put in front that it is told to have reads
// nothing unguarded any more.
func TestGuardsGuard(t *testing.T) {
	for _, filter := range []string{
		"data.tenant == 'acme'", "data['a b'] == 1", "data.a.b.c == 1", "headers['X-Y'] == 'x'", "data.list[2].x == 1",
		"data[data.name] == 1", "data['it\\'s'] == 1", "data.labels[data.k] == 1", `data['"'] == 1`, `data['a\\b'] == 1`,
	} {
		t.Run(filter, func(t *testing.T) {
			reads := compile(t, match.Definition{Filter: filter}).Unguarded()
			if len(reads) == 0 {
				t.Fatal("nothing is unguarded")
			}
			guarded := filter
			for _, read := range reads {
				guarded = read.Guard + " && " + guarded
			}
			i := compile(t, match.Definition{Filter: guarded})
			if left := i.Unguarded(); len(left) != 0 {
				t.Errorf("%s still reads %v", guarded, left)
			}
			// And so it is: no event is a dead letter.
			for _, data := range []string{`{}`, `{"a":{}}`, `{"a":{"b":{}}}`, `{"list":[]}`, `{"list":[1,2]}`, `{"name":"x"}`, `{"labels":{},"k":"x"}`} {
				d := table(t, match.Definition{Filter: guarded}).Expand(decode(t, "db.user.update", nil, data))
				if d.Kind == match.Dead {
					t.Errorf("%s on %s: %v", guarded, data, d.Err)
				}
			}
		})
	}
}
