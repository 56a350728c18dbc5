package hub

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A limit is named before it refuses something.
func TestNearLimits(t *testing.T) {
	limits := jetstream.AccountLimits{MaxStreams: 20, MaxStore: 1000, MaxConsumers: 10}
	for name, c := range map[string]struct {
		tier    jetstream.Tier
		readers int
		want    []string
	}{
		"far from all":      {jetstream.Tier{Streams: 17, Store: 899, Limits: limits}, 8, nil},
		"streams, nearly":   {jetstream.Tier{Streams: 18, Limits: limits}, 1, []string{"18 of 20 streams, and room for 2 more services"}},
		"streams":           {jetstream.Tier{Streams: 20, Limits: limits}, 1, []string{"no further stream"}},
		"readers of ingest": {jetstream.Tier{Streams: 7, Limits: limits}, 9, []string{"9 of 10 consumers"}},
		"bytes":             {jetstream.Tier{Store: 900, Limits: limits}, 1, []string{"900 of 1000 bytes"}},
		"reserved bytes":    {jetstream.Tier{ReservedStore: 950, Limits: limits}, 1, []string{"950 of 1000 bytes"}},
		"everything":        {jetstream.Tier{Streams: 19, Store: 990, Limits: limits}, 10, []string{"room for 1 more", "10 of 10", "990 of 1000"}},
		"no limits":         {jetstream.Tier{Streams: 900, Store: 1 << 40, Limits: jetstream.AccountLimits{MaxStreams: -1, MaxStore: -1, MaxConsumers: -1}}, 900, nil},
	} {
		got := nearLimits(&jetstream.AccountInfo{Tier: c.tier}, 1, c.readers)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, part := range c.want {
			if !strings.Contains(got[i], part) {
				t.Errorf("%s: %q, want %q", name, got[i], part)
			}
		}
	}
}
