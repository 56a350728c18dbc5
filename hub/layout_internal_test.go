package hub

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A stream takes one step at a time, and stays where it is if ingest has no placement.
func TestLayoutNext(t *testing.T) {
	ssd, hdd := &jetstream.Placement{Tags: []string{"ssd", "eu"}}, &jetstream.Placement{Tags: []string{"hdd"}}
	turned := &jetstream.Placement{Tags: []string{"eu", "ssd"}}
	type stream = jetstream.StreamConfig
	for name, c := range map[string]struct {
		want     layout
		have     stream
		replicas int
		tags     *jetstream.Placement
		more     bool
	}{
		"it is there":             {layout{3, ssd}, stream{Replicas: 3, Placement: turned}, 3, turned, false},
		"replicas":                {layout{3, nil}, stream{Replicas: 1}, 3, nil, true},
		"fewer":                   {layout{1, nil}, stream{Replicas: 3}, 1, nil, true},
		"0 is one":                {layout{1, nil}, stream{}, 0, nil, false},
		"placed by hand":          {layout{1, nil}, stream{Replicas: 1, Placement: hdd}, 1, hdd, false},
		"placed as ingest":        {layout{1, ssd}, stream{Replicas: 1, Placement: hdd}, 1, ssd, true},
		"first the place":         {layout{3, ssd}, stream{Replicas: 1}, 1, ssd, true},
		"another cluster's place": {layout{1, &jetstream.Placement{Cluster: "b"}}, stream{Replicas: 1, Placement: &jetstream.Placement{Cluster: "a"}}, 1, &jetstream.Placement{Cluster: "b"}, true},
	} {
		next, more := c.want.next(c.have)
		if more != c.more || next.Replicas != c.replicas || !samePlacement(next.Placement, c.tags) {
			t.Errorf("%s: more %v, %d replicas at %+v", name, more, next.Replicas, next.Placement)
		}
	}
}
