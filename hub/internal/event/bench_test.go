package event_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
)

func BenchmarkDecode(b *testing.B) {
	data := []byte(`{"name":"Ada Lovelace","tenant":"acme","address":{"city":"London","zip":"W1"},"tags":["a","b","c"],"n":12345.678,"text":"` +
		strings.Repeat("lorem ", 20) + `","id":"4711"}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := event.Decode(event.Position{Epoch: 1, Seq: 42}, stored, "db.user.update", nil, data)
		if err != nil || e.Key != "4711" {
			b.Fatal(e, err)
		}
	}
}

func BenchmarkCopyHeader(b *testing.B) {
	for name, header := range map[string]map[string][]string{
		"bare":  nil,
		"usual": {"Nats-Msg-Id": {"w-1"}, "Replhub-Origin": {"sharing"}, "traceparent": {"00-1"}},
		"many":  {"A": {"1"}, "B": {"1"}, "C": {"1"}, "D": {"1"}, "E": {"1"}, "F": {"1"}},
	} {
		b.Run(name, func(b *testing.B) {
			e := decode(b, header, `{"id":7}`)
			b.ReportAllocs()
			for b.Loop() {
				_ = e.CopyHeader().With("Nats-Expected-Last-Sequence", nil, func(map[string][]string) error { return nil })
			}
		})
	}
}
