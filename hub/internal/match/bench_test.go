package match_test

import (
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
)

const profile = `{"id":"4711","name":"Ada Lovelace","tenant":"acme","address":{"city":"London","zip":"W1"},"tags":["a","b","c"],"n":12345.678,"email":"ada@example.org"}`

func BenchmarkExpand(b *testing.B) {
	for name, def := range map[string]match.Definition{
		"plain":     {},
		"filtered":  {Filter: "data.tenant == 'acme' && op != 'read'"},
		"projected": {Fields: []string{"id", "name", "address.city"}},
	} {
		b.Run(name, func(b *testing.B) {
			tb := table(b, def)
			e := decode(b, "db.user.update", nil, profile)
			b.ReportAllocs()
			for b.Loop() {
				if d := tb.Expand(e); d.Kind != match.Copy {
					b.Fatal(d)
				}
			}
		})
	}
	b.Run("filtered, first lane", func(b *testing.B) {
		tb := table(b, match.Definition{Filter: "data.tenant == 'acme'"})
		e := decode(b, "db.user.update", nil, profile)
		b.ReportAllocs()
		for b.Loop() {
			fresh := &event.Event{Pos: e.Pos, Time: e.Time, Subject: e.Subject, Data: e.Data}
			if d := tb.Expand(fresh); d.Kind != match.Copy {
				b.Fatal(d)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(b, match.Definition{Filter: "data.tenant == 'acme' && data.items.exists(i, i.qty > 1)"})
	}
}
