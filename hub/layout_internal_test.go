package hub

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
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

// While the servers of a cluster have different versions, no stream is moved.
func TestNoLayoutAmongVersions(t *testing.T) {
	js, err := jetstream.New(natstest.Start(t).Connect())
	if err != nil {
		t.Fatal(err)
	}
	h := &Hub{js: js, log: slog.New(slog.DiscardHandler)}
	cfg := jetstream.StreamConfig{Name: "SUB_s", Subjects: []string{"sub.s.>"}, Replicas: 1, Metadata: map[string]string{contract.MetadataKey: contract.MetadataValue}}
	if _, err := js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	// A server that is alone takes any place.
	want := layout{1, &jetstream.Placement{Tags: []string{"ssd"}}}
	for _, mixed := range []bool{true, false} {
		_, err := h.lay(t.Context(), "SUB_s", want, func() bool { return mixed })
		if errors.Is(err, errMixed) != mixed {
			t.Errorf("mixed %v: %v", mixed, err)
		}
		s, err := js.Stream(t.Context(), "SUB_s")
		if err != nil {
			t.Fatal(err)
		}
		if moved := s.CachedInfo().Config.Placement != nil; moved && mixed {
			t.Error("a stream is moved among servers of different versions")
		}
	}
}
