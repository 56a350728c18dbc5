package place_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/place"
)

func TestJudge(t *testing.T) {
	own := place.Self{Installation: "a", Domain: "hub", Hub: "h1"}
	second := place.Self{Installation: "a", Domain: "hub", Hub: "h2"}
	other := place.Self{Installation: "b", Domain: "hub", Hub: "h3"}
	copied := place.Self{Installation: "a", Domain: "leaf", Hub: "h4"}
	running := place.Here{Self: own, Ledger: true, Ingest: true}
	lost := place.Here{Self: place.Self{Domain: "hub", Hub: "h1"}, Ingest: true}
	first := place.Here{Self: place.Self{Domain: "hub", Hub: "h1"}}
	for name, tt := range map[string]struct {
		here  place.Here
		found place.Found
		says  string
	}{
		"nobody":                             {here: first},
		"itself and its stream":              {here: running, found: place.Found{Hubs: []place.Self{own}, Takers: []string{"REPLHUB_LEDGER"}}},
		"a second hub of the installation":   {here: running, found: place.Found{Hubs: []place.Self{own, second}}},
		"a hub of another installation":      {running, place.Found{Hubs: []place.Self{own, other}}, "hub h3 of another installation"},
		"a hub of a copied installation":     {running, place.Found{Hubs: []place.Self{copied}}, `hub h4 of another installation (domain "leaf")`},
		"a hub, where no installation began": {first, place.Found{Hubs: []place.Self{second}}, "hub h2"},
		"a hub, after the ledger was lost":   {here: lost, found: place.Found{Hubs: []place.Self{second}}},
		"a copy's hub after such a loss":     {lost, place.Found{Hubs: []place.Self{copied}}, "hub h4"},
		"two streams": {
			running, place.Found{Takers: []string{"REPLHUB_LEDGER", "REPLHUB_LEDGER"}}, "streams of two JetStreams (REPLHUB_LEDGER) take the same subjects of this account, and this hub is in ",
		},
		"a stream where none should be": {first, place.Found{Takers: []string{"AUDIT"}}, "AUDIT"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.found.Judge(tt.here)
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}
